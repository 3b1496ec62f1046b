import Core
import Glibc
internal import RuleSets
import Synchronization

@testable import Agent

/// An event loop on a virtual clock: nothing happens until a test lets time pass, then everything in order, on the
/// test's thread.
final class VirtualLoop: EventLoop {
  private struct State {
    var now = Instant(nanoseconds: 0)
    var next: UInt64 = 1
    var timers: [(deadline: Instant, id: UInt64, body: @Sendable (Instant) -> Void)] = []
    var jobs: [Job] = []
    var running = false
  }
  private enum Job {
    case task(UnownedJob)
    case body(@Sendable () -> Void)
  }
  private let state = Mutex(State())

  var now: Instant { state.withLock { $0.now } }

  func at(_ deadline: Instant, _ body: @escaping @Sendable (Instant) -> Void) -> TimerID {
    state.withLock {
      let id = $0.next
      $0.next += 1
      $0.timers.append((deadline, id, body))
      return TimerID(id)
    }
  }

  func cancel(_ timer: TimerID) { state.withLock { $0.timers.removeAll { $0.id == timer.number } } }
  func enqueue(_ body: @escaping @Sendable () -> Void) { add(.body(body)) }
  func enqueue(_ job: consuming ExecutorJob) {
    // The runtime does not retain an executor: when the job's task continues elsewhere, it may end the test and release
    // this while we are still looking for further jobs.
    let keeper = Unmanaged.passRetained(self)
    defer { keeper.release() }
    add(.task(UnownedJob(job)))
  }
  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  func checkIsolated() { precondition(state.withLock { $0.running }, "not on the loop") }

  private func add(_ job: Job) {
    let start = state.withLock { state in
      state.jobs.append(job)
      let idle = !state.running
      state.running = true
      return idle
    }
    if start { drain() }
  }

  /// Runs the waiting jobs; `running` is ours until that is done.
  private func drain() { while runNext(orStop: true) {} }

  /// False: nothing is waiting, and `running` is still ours, unless we stop then.
  private func runNext(orStop stops: Bool) -> Bool {
    let job: Job? = state.withLock {
      if !$0.jobs.isEmpty { return $0.jobs.removeFirst() }
      if stops { $0.running = false }
      return nil
    }
    switch job {
    case nil: return false
    case .task(let job)?: job.runSynchronously(on: asUnownedSerialExecutor())
    case .body(let body)?: body()
    }
    return true
  }

  /// Waits for the thread that ran the last job: the test continues elsewhere while that thread still looks for more.
  private func takeOver() {
    while true {
      let isOurs = state.withLock { state in
        defer { state.running = true }
        return !state.running
      }
      if isOurs { return }
      sched_yield()
    }
  }

  /// Lets this much time pass, firing timers in the order of their deadlines.
  func advance(by duration: Duration) {
    takeOver()
    defer { drain() }
    let end = now + duration
    while true {
      let due: (Instant, @Sendable (Instant) -> Void)? = state.withLock { state in
        guard
          let index = state.timers.indices.min(by: {
            (state.timers[$0].deadline, state.timers[$0].id) < (state.timers[$1].deadline, state.timers[$1].id)
          }),
          state.timers[index].deadline <= end
        else {
          state.now = end
          return nil
        }
        let timer = state.timers.remove(at: index)
        state.now = max(state.now, timer.deadline)
        return (state.now, timer.body)
      }
      guard let (instant, body) = due else { return }
      body(instant)
      while runNext(orStop: false) {}
    }
  }
}
