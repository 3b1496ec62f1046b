internal import Core

/// Wakes the task that looks at clients' packets.
package struct SightBell: Sendable {
  let rung: AsyncStream<Void>
  private let ringer: AsyncStream<Void>.Continuation

  package init() { (rung, ringer) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

  /// Something has changed that clients' packets may go by. Never waits; callable from any thread.
  package func ring() { ringer.yield() }
}

/// Hands events on, and rings where one of them says that traffic may go another way than before.
struct TurningPoints: EventSink {
  private static let kinds: Set<AgentEvent.Kind> = [
    .initial, .failover, .failback, .changed, .applied, .uplinkChanged, .driftRepaired,
  ]

  private let events: any EventSink
  private let bell: SightBell

  init(_ events: any EventSink, _ bell: SightBell) {
    self.events = events
    self.bell = bell
  }

  func record(_ event: AgentEvent) {
    events.record(event)
    if Self.kinds.contains(event.kind) { bell.ring() }
  }
}
