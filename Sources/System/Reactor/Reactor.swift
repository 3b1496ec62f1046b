package import Agent
internal import CLinux
internal import Core
internal import Glibc
package import RuleSets
internal import Synchronization

/// One thread that is an epoll loop, a set of timers and a serial executor at once: what is pinned to it runs without
/// locks and without a thread hop between a packet, the verdict on it and the flip.
///
/// One turn of the loop: ready descriptors, then due timers, then jobs. An answer that came in time is so handled
/// before the timer that would call it late. Timers fire at the ends of ticks of half a millisecond, and descriptors
/// that have patience are read once in a while, the longer the more of them there are: with a thousand probes on their
/// way a wake-up for each, and one for each answer, would cost more than all that they are for.
package final class Reactor: EventLoop, DescriptorWatcher {
  /// How the kernel schedules the thread.
  package enum Urgency: Equatable, Sendable {
    case ordinary
    /// SCHED_FIFO at its lowest priority; without the right to it nice −10; without that, ordinary. For probes and
    /// flips.
    case raised
  }

  /// One epoll instance for descriptors without patience, one for those with it.
  private let poll: FileDescriptor
  private let patientPoll: FileDescriptor
  private let alarm: FileDescriptor
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
    /// By descriptor.
    var watches: [Watch?] = []
    var lastNumber: UInt32 = 0
    var timers = TimerHeap()
    /// Until when those that have patience are left alone.
    var rest = Instant(nanoseconds: 0)
    /// How many have it.
    var patientCount = 0
    /// Empty, with room for the jobs of the next turn.
    var spare: [Job] = []

    func watch(of descriptor: Int32) -> Watch? {
      watches.indices.contains(Int(descriptor)) ? watches[Int(descriptor)] : nil
    }
  }

  private struct Watch: Sendable {
    /// Unique to this watch: a descriptor that was closed and reopened within one turn must not get the old one's
    /// events.
    var number: UInt32
    var patience: Patience
    var handler: @Sendable (Readiness) -> Void
  }

  /// What epoll returns with an event.
  private struct Token {
    static let alarm = Token(bits: .max)
    var bits: UInt64

    init(bits: UInt64) { self.bits = bits }
    init(_ descriptor: Int32, _ number: UInt32) {
      bits = UInt64(number) << 32 | UInt64(UInt32(bitPattern: descriptor))
    }
    var descriptor: Int { Int(bits & 0xffff_ffff) }
    var number: UInt32 { UInt32(bits >> 32) }
  }

  /// The thread runs from here on until `stop`.
  package init(name: String, urgency: Urgency = .ordinary) throws(SystemCallFailure) {
    poll = try FileDescriptor.adopting(epoll_create1(Int32(EPOLL_CLOEXEC)), "epoll_create1")
    patientPoll = try FileDescriptor.adopting(epoll_create1(Int32(EPOLL_CLOEXEC)), "epoll_create1")
    alarm = try FileDescriptor.adopting(
      eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), "eventfd")
    try control(EPOLL_CTL_ADD, alarm.number, .readable, .none, Token.alarm)
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

  /// A sleeping loop wakes for it at the end of the half-millisecond tick that the deadline falls in.
  package func at(_ deadline: Instant, _ body: @escaping @Sendable (Instant) -> Void) -> TimerID {
    onLoop { $0.timers.set(deadline, body) }
  }

  /// Removes it, unless it has fired.
  package func cancel(_ timer: TimerID) { onLoop { $0.timers.cancel(timer) } }

  /// Appends to the jobs of the loop's next turn, and wakes it where it sleeps.
  package func enqueue(_ body: @escaping @Sendable () -> Void) { enqueue(.body(body)) }

  // MARK: DescriptorWatcher

  /// Adds the descriptor to one of two epoll instances, by its patience.
  package func watch(
    _ descriptor: Int32, for readiness: Readiness, _ patience: Patience,
    _ handler: @escaping @Sendable (Readiness) -> Void
  ) throws(SystemCallFailure) {
    let known = onLoop { $0.watch(of: descriptor) }
    if let known, known.patience == patience {
      try control(EPOLL_CTL_MOD, descriptor, readiness, patience, Token(descriptor, known.number))
      onLoop { $0.watches[Int(descriptor)]?.handler = handler }
      return
    }
    if known != nil { unwatch(descriptor) }
    let number = onLoop { local in
      local.lastNumber &+= 1
      return local.lastNumber
    }
    try control(EPOLL_CTL_ADD, descriptor, readiness, patience, Token(descriptor, number))
    onLoop { local in
      let missing = Int(descriptor) + 1 - local.watches.count
      if missing > 0 { local.watches += repeatElement(nil, count: missing) }
      local.watches[Int(descriptor)] = Watch(number: number, patience: patience, handler: handler)
      if patience == .aWhile { local.patientCount += 1 }
    }
  }

  /// Events that epoll has already returned for it are dropped: their token no longer matches a watch.
  package func unwatch(_ descriptor: Int32) {
    let known = onLoop { local in
      let known = local.watch(of: descriptor)
      if known != nil { local.watches[Int(descriptor)] = nil }
      if known?.patience == .aWhile { local.patientCount -= 1 }
      return known
    }
    if let known { _ = epoll_ctl(poll(of: known.patience), EPOLL_CTL_DEL, descriptor, nil) }
  }

  // MARK: SerialExecutor

  /// Queues a step of a task of an actor that is pinned to this loop.
  package func enqueue(_ job: consuming ExecutorJob) { enqueue(.task(UnownedJob(job))) }

  /// What an actor returns as its `unownedExecutor`.
  package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Traps where the caller is not on the loop's thread.
  package func checkIsolated() { precondition(isOnLoop, "called off the event loop's thread") }

  /// Never nil: the thread's identity is certain.
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
    // The loop checks its jobs before it sleeps, so it need not wake itself.
    if wasEmpty && !isOnLoop { wake() }
  }

  private func wake() {
    var one: UInt64 = 1
    // Fails only with EAGAIN where the counter is full, and then the alarm is ringing already.
    _ = write(alarm.number, &one, MemoryLayout<UInt64>.size)
  }

  private func poll(of patience: Patience) -> Int32 {
    switch patience {
    case .none: poll.number
    case .aWhile: patientPoll.number
    }
  }

  private func control(
    _ operation: Int32, _ descriptor: Int32, _ readiness: Readiness, _ patience: Patience, _ token: Token
  ) throws(SystemCallFailure) {
    var event = epoll_event()
    event.events = readiness.bits
    event.data.u64 = token.bits
    guard epoll_ctl(poll(of: patience), operation, descriptor, &event) == 0 else {
      throw SystemCallFailure.last("watch descriptor \(descriptor)")
    }
  }

  private func run() {
    // 64 events at once; whatever else is ready comes with the next call.
    let ready = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 64)
    ready.initialize(repeating: epoll_event())
    defer { ready.deallocate() }
    repeat {
      wait(ready)
      runTimers()
    } while runJobs()
  }

  /// Waits for descriptors or the next timer, and dispatches what is ready.
  private func wait(_ ready: UnsafeMutableBufferPointer<epoll_event>) {
    let hasJobs = shared.withLock { !$0.jobs.isEmpty || $0.stopped }
    var limit = local.timers.nextDeadline().map(Self.endOfTick)
    let now = MonotonicClock.now
    let isResting = now < local.rest
    if isResting { limit = min(limit ?? local.rest, local.rest) }
    let nanoseconds = hasJobs ? 0 : limit.map { max(0, $0.nanoseconds - now.nanoseconds) } ?? -1
    let readable = linux_wait(poll.number, isResting ? -1 : patientPoll.number, nanoseconds)
    if readable & 1 != 0 { _ = dispatch(from: poll, ready) }
    if readable & 2 != 0 {
      readPatient(ready)
    } else if isResting {
      let now = MonotonicClock.now
      let isDue = local.timers.nextDeadline().map { $0 <= now } ?? false
      if isDue || now >= local.rest { readPatient(ready) }
    }
  }

  private func readPatient(_ ready: UnsafeMutableBufferPointer<epoll_event>) {
    // Enough for all that arrive in one tick; a flood of more must not hold the loop.
    for round in 1...16 {
      let count = dispatch(from: patientPoll, ready)
      if round == 1 && count > 0 { local.rest = endOfRest(after: MonotonicClock.now) }
      if count < ready.count { return }
    }
  }

  /// How many there were.
  private func dispatch(
    from poll: borrowing FileDescriptor, _ ready: UnsafeMutableBufferPointer<epoll_event>
  ) -> Int {
    // Newer C libraries want a place that is there.
    guard let place = ready.baseAddress else { return 0 }
    // Only EINTR is possible here, as the descriptors are ours; then nothing is ready.
    let count = max(0, Int(epoll_wait(poll.number, place, Int32(ready.count), 0)))
    for event in ready.prefix(count) {
      let token = Token(bits: event.data.u64)
      if token.bits == Token.alarm.bits {
        var count: UInt64 = 0
        _ = read(alarm.number, &count, MemoryLayout<UInt64>.size)
      } else if token.descriptor < local.watches.count, let watch = local.watches[token.descriptor],
        watch.number == token.number
      {
        watch.handler(Readiness(bits: event.events))
      }
    }
    return count
  }

  private func runTimers() {
    let now = MonotonicClock.now
    let limit = local.timers.limit
    while let body = local.timers.takeDue(now, before: limit) { body(now) }
  }

  /// False if the loop should end.
  private func runJobs() -> Bool {
    var jobs: [Job] = []
    swap(&jobs, &local.spare)
    let stopped = shared.withLock { shared in
      swap(&jobs, &shared.jobs)
      return shared.stopped
    }
    for job in jobs {
      switch job {
      case .task(let task): task.runSynchronously(on: asUnownedSerialExecutor())
      case .body(let body): body()
      }
    }
    jobs.removeAll(keepingCapacity: jobs.capacity <= 1024)
    local.spare = jobs
    return !stopped
  }

  private static let tick: Int64 = 500_000
  /// Equal to `ProbeBeat`'s longest: if many answer, the wake-up for sending also reads the answers.
  private static let longestRest = 10 * tick
  /// This many patient descriptors make the pause longer by a tick.
  private static let patientOnesPerTick = 10

  /// The end of the tick in which it is; it may be that end.
  private static func endOfTick(_ instant: Instant) -> Instant {
    Instant(nanoseconds: (instant.nanoseconds + tick - 1) / tick * tick)
  }

  /// Ten descriptors that are ready ten times a second cannot wake the loop more often than a hundred can, or a
  /// thousand.
  private func endOfRest(after instant: Instant) -> Instant {
    let rest = min(Self.longestRest, Int64(local.patientCount / Self.patientOnesPerTick + 1) * Self.tick)
    return Instant(nanoseconds: (instant.nanoseconds / rest + 1) * rest)
  }
}
