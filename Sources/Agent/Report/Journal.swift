package import Core
internal import Synchronization

/// The last events, in memory, and whoever wants to be told of each (the log). A ring of fixed size.
package final class Journal: EventSink {
  package static let capacity = 1_000

  package struct Entry: Sendable {
    /// Rises by one with each event since the agent started.
    package var number: UInt64
    package var time: WallTime
    package var event: AgentEvent
  }

  private struct Ring {
    var entries: [Entry] = []
    var next: UInt64 = 1
  }

  private let ring = Mutex(Ring())
  private let surroundings: any Surroundings
  private let tell: @Sendable (AgentEvent) -> Void

  /// - Parameter tell: called for each event, on the thread that recorded it; must not block.
  package init(surroundings: any Surroundings, tell: @escaping @Sendable (AgentEvent) -> Void) {
    self.surroundings = surroundings
    self.tell = tell
  }

  package func record(_ event: AgentEvent) {
    let time = surroundings.wallTime
    ring.withLock { ring in
      if ring.entries.count == Self.capacity { ring.entries.removeFirst() }
      ring.entries.append(Entry(number: ring.next, time: time, event: event))
      ring.next += 1
    }
    tell(event)
  }

  /// Oldest first.
  package var entries: [Entry] { ring.withLock { $0.entries } }
}
