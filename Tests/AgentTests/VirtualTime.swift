import Core
import Dispatch
internal import RuleSets
import Synchronization

@testable import Agent

/// A clock that a test moves, and one thread for everything: actors and tasks run on it one after the other, and time
/// passes only when nothing is left to do.
///
///     try await VirtualTime.run { time in … await time.pass(.seconds(5)) … }
final class VirtualTime: Surroundings, TaskExecutor {
  private struct State {
    var now = Instant(nanoseconds: 1_000_000_000)
    /// How far the clock on the wall is ahead of `now`.
    var wallOffset = 0.0
    var lastID: UInt64 = 0
    var alarms: [(deadline: Instant, id: UInt64, body: @Sendable () -> Void)] = []
    /// Jobs that were given to the thread and have not run yet.
    var jobs = 0
    var waiting: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())
  private let thread = DispatchQueue(label: "virtual time")

  static func run(_ body: @Sendable (VirtualTime) async throws -> Void) async throws {
    let time = VirtualTime()
    try await withTaskExecutorPreference(time) { try await body(time) }
  }

  // MARK: Surroundings

  var now: Instant { state.withLock { $0.now } }
  var wallTime: WallTime {
    state.withLock { WallTime(secondsSince1970: Double($0.now.nanoseconds) / 1e9 + $0.wallOffset) }
  }
  var chance: Double { 1 }

  func alarm(after wait: Duration, _ body: @escaping @Sendable () -> Void) -> Alarm {
    let id = state.withLock { state in
      state.lastID += 1
      state.alarms.append((state.now + wait, state.lastID, body))
      return state.lastID
    }
    return Alarm { [weak self] in self?.state.withLock { $0.alarms.removeAll { $0.id == id } } }
  }

  // MARK: TaskExecutor

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    state.withLock { $0.jobs += 1 }
    thread.async {
      job.runSynchronously(on: self.asUnownedTaskExecutor())
      let waiting = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
        state.jobs -= 1
        guard state.jobs == 0 else { return nil }
        defer { state.waiting = nil }
        return state.waiting
      }
      waiting?.resume()
    }
  }

  // MARK: What a test does

  /// Sets the clock on the wall, of which nobody is told.
  func setClock(_ time: WallTime) {
    state.withLock { $0.wallOffset = time.secondsSince1970 - Double($0.now.nanoseconds) / 1e9 }
  }

  /// Returns when nothing is left to do at this time.
  func settle() async { await withCheckedContinuation { done in state.withLock { $0.waiting = done } } }

  /// Lets this much time pass; alarms ring in their order. A test that is over its time limit stops, because an alarm
  /// may ring for ever.
  func pass(_ duration: Duration) async {
    await settle()
    let end = now + duration
    while !Task.isCancelled, let ring = takeAlarm(until: end) {
      ring()
      await settle()
    }
    state.withLock { $0.now = end }
    await settle()
  }

  private func takeAlarm(until end: Instant) -> (@Sendable () -> Void)? {
    state.withLock { state in
      guard
        let index = state.alarms.indices.min(by: {
          (state.alarms[$0].deadline, state.alarms[$0].id) < (state.alarms[$1].deadline, state.alarms[$1].id)
        }), state.alarms[index].deadline <= end
      else { return nil }
      let alarm = state.alarms.remove(at: index)
      state.now = max(state.now, alarm.deadline)
      return alarm.body
    }
  }
}
