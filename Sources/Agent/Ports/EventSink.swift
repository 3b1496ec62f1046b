package import Core
package import RuleSets

/// Records events in the journal and the log. Callable from any thread; never blocks for long.
package protocol EventSink: Sendable {
  func record(_ event: AgentEvent)
}

/// Clocks and chance, as the loops need them.
package protocol Surroundings: Sendable {
  var now: Instant { get }
  var wallTime: WallTime { get }
  /// A random number from 0 up to but not including 1.
  var chance: Double { get }
  /// Calls `body` on any thread once this much time has passed, unless it is cancelled first. `body` must not block.
  func alarm(after wait: Duration, _ body: @escaping @Sendable () -> Void) -> Alarm
}

/// A call that is due later and can be cancelled.
package struct Alarm: Sendable {
  /// Cancels the call; does nothing once it has been made.
  package let cancel: @Sendable () -> Void
  package init(cancel: @escaping @Sendable () -> Void) { self.cancel = cancel }
}

extension Surroundings {
  /// The default: a task that sleeps.
  package func alarm(after wait: Duration, _ body: @escaping @Sendable () -> Void) -> Alarm {
    let task = Task {
      try? await Task.sleep(for: wait)
      if !Task.isCancelled { body() }
    }
    return Alarm { task.cancel() }
  }

  /// Returns when this much time has passed, or its task is cancelled.
  package func sleep(_ wait: Duration) async {
    let (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let alarm = alarm(after: wait) { ring.yield() }
    for await _ in bell { break }
    alarm.cancel()
  }

  /// Returns when this much time has passed.
  package func pause(_ wait: Duration) async {
    await withCheckedContinuation { done in _ = alarm(after: wait) { done.resume() } }
  }
}
