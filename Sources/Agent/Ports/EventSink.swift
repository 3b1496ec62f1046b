package import Core
package import RuleSets

/// Takes note of events: the journal and the log. Callable from any thread; never blocks for long.
package protocol EventSink: Sendable {
  func record(_ event: AgentEvent)
}

/// Clocks and chance, as the loops need them.
package protocol Surroundings: Sendable {
  var now: Instant { get }
  var wallTime: WallTime { get }
  /// 0 up to but not including 1.
  var chance: Double { get }
  /// Calls `body` once this much time has passed, on any thread, unless it is cancelled before. `body` must not block.
  func alarm(after wait: Duration, _ body: @escaping @Sendable () -> Void) -> Alarm
}

/// Something that happens later.
package struct Alarm: Sendable {
  /// Does nothing once it has rung.
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
