package import Agent
internal import CLinux
package import Core
internal import Glibc
internal import Synchronization

/// One thread that is at once an epoll loop, a set of timers and a serial executor: what is pinned to it runs without
/// locks and without a hop between a packet, the verdict on it and the flip.
///
/// One turn of the loop: ready descriptors, then due timers, then jobs. An answer that came in time is so handled before
/// the timer that would call it late. Timers fire at the ends of ticks of half a millisecond: with a thousand probes on
/// their way a wake-up for each would cost more than all that it is for.
package final class Reactor: EventLoop, DescriptorWatcher {
  /// How urgently the kernel runs the thread.
  package enum Urgency: Equatable, Sendable {
    case ordinary
    /// SCHED_FIFO at its lowest priority; without the right to it nice −10; without that, ordinary. For probes and flips.
    case raised
  }

  private let poll: FileDescriptor
  private let alarm: FileDescriptor
  private let timer: FileDescriptor
  private let shared = Mutex(Shared())
  private let local = Local()
  private let threadID = Atomic<UInt>(0)

  /// What waits to be run on the loop; any thread adds to it.
  private struct Shared {
    var jobs: [Job] = []
    var stopped = false
  }

  private enum Job {
    case task(UnownedJob)
    case body(@Sendable () -> Void)
  }

  /// Touched on the loop's thread only; each access through `onLoop` checks that.
  private final class Local: @unchecked Sendable {
    var handlers: [UInt64: @Sendable (Readiness) -> Void] = [:]
    var tokens: [Int32: UInt64] = [:]
    var lastToken: UInt64 = Token.firstHandler
    var timers = TimerHeap()
    var armed: Instant?
  }

  /// epoll gives back a token and never a descriptor: a number that was closed and opened anew within one turn must not
  /// get the old one's events.
  private enum Token {
    static let alarm: UInt64 = 0
    static let timer: UInt64 = 1
    static let firstHandler: UInt64 = 2
  }

  /// The thread runs from here on until `stop`.
  package init(name: String, urgency: Urgency = .ordinary) throws(SystemCallFailure) {
    poll = try FileDescriptor.adopting(epoll_create1(Int32(EPOLL_CLOEXEC)), "epoll_create1")
    alarm = try FileDescriptor.adopting(
      eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), "eventfd")
    timer = try FileDescriptor.adopting(
      timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK)), "timerfd_create")
    try control(EPOLL_CTL_ADD, alarm.number, .readable, Token.alarm)
    try control(EPOLL_CTL_ADD, timer.number, .readable, Token.timer)
    try SystemThread.start(name: name) { [self] in
      if urgency == .raised && linux_thread_realtime(1) != 0 { _ = linux_thread_nice(-10) }
      threadID.store(UInt(pthread_self()), ordering: .releasing)
      run()
    }
  }

  /// Ends the thread after the jobs that wait now. What is enqueued later never runs: only for loops that nobody is
  /// pinned to any more.
  package func stop() {
    shared.withLock { $0.stopped = true }
    wake()
  }

  // MARK: EventLoop

  package var now: Instant { MonotonicClock.now }

  package func at(_ deadline: Instant, _ body: @escaping @Sendable (Instant) -> Void) -> TimerID {
    onLoop { $0.timers.set(deadline, body) }
  }

  package func cancel(_ timer: TimerID) { onLoop { $0.timers.cancel(timer) } }

  package func enqueue(_ body: @escaping @Sendable () -> Void) { enqueue(.body(body)) }

  // MARK: DescriptorWatcher

  package func watch(
    _ descriptor: Int32, for readiness: Readiness, _ handler: @escaping @Sendable (Readiness) -> Void
  ) throws(SystemCallFailure) {
    let (token, known) = onLoop { local in
      if let token = local.tokens[descriptor] { return (token, true) }
      local.lastToken += 1
      return (local.lastToken, false)
    }
    try control(known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, readiness, token)
    onLoop { local in
      local.tokens[descriptor] = token
      local.handlers[token] = handler
    }
  }

  package func unwatch(_ descriptor: Int32) {
    let known = onLoop { local in
      guard let token = local.tokens.removeValue(forKey: descriptor) else { return false }
      local.handlers[token] = nil
      return true
    }
    if known { _ = epoll_ctl(poll.number, EPOLL_CTL_DEL, descriptor, nil) }
  }

  // MARK: SerialExecutor

  package func enqueue(_ job: consuming ExecutorJob) { enqueue(.task(UnownedJob(job))) }

  package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  package func checkIsolated() { precondition(isOnLoop, "called off the event loop's thread") }

  package func isIsolatingCurrentContext() -> Bool? { isOnLoop }

  /// Whether the caller runs on the loop's thread.
  package var isOnLoop: Bool { threadID.load(ordering: .acquiring) == UInt(pthread_self()) }

  // MARK: The loop

  private func onLoop<R>(_ body: (Local) -> R) -> R {
    checkIsolated()
    return body(local)
  }

  private func enqueue(_ job: Job) {
    let wasEmpty = shared.withLock { shared in
      shared.jobs.append(job)
      return shared.jobs.count == 1
    }
    // The loop looks at its jobs before it sleeps, so it needs no alarm from itself.
    if wasEmpty && !isOnLoop { wake() }
  }

  private func wake() {
    var one: UInt64 = 1
    // Fails only with EAGAIN where the counter is full, and then the alarm is ringing already.
    _ = write(alarm.number, &one, MemoryLayout<UInt64>.size)
  }

  private func control(
    _ operation: Int32, _ descriptor: Int32, _ readiness: Readiness, _ token: UInt64
  ) throws(SystemCallFailure) {
    var event = epoll_event()
    event.events = readiness.bits
    event.data.u64 = token
    guard epoll_ctl(poll.number, operation, descriptor, &event) == 0 else {
      throw SystemCallFailure.last("watch descriptor \(descriptor)")
    }
  }

  private func run() {
    // 64 events a turn; what else is ready comes with the next.
    let capacity = 64
    let ready = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
    ready.initialize(repeating: epoll_event(), count: capacity)
    defer { ready.deallocate() }
    while true {
      arm()
      let waiting = shared.withLock { !$0.jobs.isEmpty || $0.stopped }
      let count = epoll_wait(poll.number, ready, Int32(capacity), waiting ? 0 : -1)
      // EINTR alone can come here, as the descriptors are ours; then nothing is ready.
      for event in UnsafeBufferPointer(start: ready, count: Int(max(0, count))) {
        dispatch(event.data.u64, Readiness(bits: event.events))
      }
      runTimers()
      if !runJobs() { return }
    }
  }

  private func dispatch(_ token: UInt64, _ readiness: Readiness) {
    var count: UInt64 = 0
    switch token {
    case Token.alarm: _ = read(alarm.number, &count, MemoryLayout<UInt64>.size)
    case Token.timer:
      _ = read(timer.number, &count, MemoryLayout<UInt64>.size)
      local.armed = nil
    default: local.handlers[token]?(readiness)
    }
  }

  private func runTimers() {
    let now = MonotonicClock.now
    let limit = local.timers.limit
    while let body = local.timers.takeDue(now, before: limit) { body(now) }
  }

  /// False where the loop shall end.
  private func runJobs() -> Bool {
    let (jobs, stopped) = shared.withLock { shared in
      defer { shared.jobs.removeAll(keepingCapacity: shared.jobs.capacity <= 1024) }
      return (shared.jobs, shared.stopped)
    }
    for job in jobs {
      switch job {
      case .task(let task): task.runSynchronously(on: asUnownedSerialExecutor())
      case .body(let body): body()
      }
    }
    return !stopped
  }

  private static let tick: Int64 = 500_000

  /// Sets the timer descriptor to the end of the next deadline's tick, where that changed.
  private func arm() {
    let next = local.timers.nextDeadline().map { Instant(nanoseconds: ($0.nanoseconds / Self.tick + 1) * Self.tick) }
    guard next != local.armed else { return }
    var setting = itimerspec()
    if let next {
      // Zero would disarm it; a deadline in the past fires at once.
      let nanoseconds = max(1, next.nanoseconds)
      setting.it_value.tv_sec = Int(nanoseconds / 1_000_000_000)
      setting.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
    }
    _ = timerfd_settime(timer.number, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    local.armed = next
  }
}
