package import Core
internal import RuleSets
internal import Synchronization

/// The last events in memory, each passed on to the log as it comes. The ring has a fixed size and is also the queue
/// for the disk, so recording never waits for the disk.
package final class Journal: EventSink {
  package static let capacity = 1_000

  private struct Entry {
    var time: WallTime
    /// Nil for the first of this life.
    var sincePrevious: Duration?
    var event: AgentEvent
  }

  private struct Ring {
    /// The nth event of this life is in place (n − 1) mod capacity.
    var entries: [Entry] = []
    /// How many events this life has recorded.
    var count: UInt64 = 0
    /// The last number of the lives before; nil as long as nobody has looked. The nth event of this life has number
    /// `base + n`.
    var base: UInt64?
    var last: Instant?
    var tally = EventTally()

    var first: UInt64 { count - UInt64(entries.count) + 1 }
    func entry(_ ordinal: UInt64) -> Entry { entries[Int((ordinal - 1) % UInt64(Journal.capacity))] }
    func record(_ ordinal: UInt64, base: UInt64) -> EventRecord {
      let entry = entry(ordinal)
      return EventRecord(
        entry.event, number: base + ordinal, time: entry.time, sincePrevious: entry.sincePrevious
      ).bounded
    }
  }

  private let ring = Mutex(Ring())
  private let surroundings: any Surroundings
  private let tell: @Sendable (AgentEvent) -> Void
  /// Rings for each event, for the writer.
  let bells: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation

  /// - Parameter tell: called for each event, on the thread that recorded it; must not block.
  package init(surroundings: any Surroundings, tell: @escaping @Sendable (AgentEvent) -> Void) {
    self.surroundings = surroundings
    self.tell = tell
    (bells, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// Stamps the event and puts it in the ring, where it replaces the oldest once 1,000 are held; then passes it to the
  /// log. Takes a lock, but does no I/O itself.
  package func record(_ event: AgentEvent) {
    let time = surroundings.wallTime
    ring.withLock { ring in
      let now = surroundings.now
      let entry = Entry(time: time, sincePrevious: ring.last.map { now - $0 }, event: event)
      ring.last = now
      if ring.entries.count < Self.capacity {
        ring.entries.append(entry)
      } else {
        ring.entries[Int(ring.count % UInt64(Self.capacity))] = entry
      }
      ring.count += 1
      ring.tally.noted(event)
    }
    ringBell()
    tell(event)
  }

  func ringBell() { bell.yield() }
  /// Ends `bells`: after this nothing more is written to disk.
  func endBells() { bell.finish() }

  // MARK: - For the writer

  /// Takes the last number on disk. Returns how many of this life's events are there already.
  func opened(lastNumber: UInt64) -> UInt64 {
    ring.withLock { ring in
      // If it is lost or removed, the file is started again, and the numbers keep rising.
      if let base = ring.base, lastNumber < base { return 0 }
      if let base = ring.base, lastNumber - base <= ring.count { return lastNumber - base }
      // The numbers are known only now, or something has put a longer journal there: new records come after it.
      let written = ring.base == nil ? 0 : ring.count
      ring.base = lastNumber - written
      return written
    }
  }

  /// The next events after the nth of this life, oldest first, and how many in between have already left memory.
  func waiting(after ordinal: UInt64, atMost limit: Int) -> (records: [EventRecord], lost: UInt64) {
    ring.withLock { ring in
      let next = max(ordinal + 1, ring.first)
      guard next <= ring.count else { return ([], 0) }
      let last = min(ring.count, next + UInt64(limit) - 1)
      return ((next...last).map { ring.record($0, base: ring.base ?? 0) }, next - ordinal - 1)
    }
  }

  // MARK: - For reports

  /// Those in memory, oldest first, and how long ago the newest was.
  ///
  /// - Parameter base: the last number on disk, for events that have no number yet.
  func records(after base: UInt64) -> (records: [EventRecord], newestAge: Duration?) {
    ring.withLock { ring in
      guard ring.count > 0 else { return ([], nil) }
      let base = ring.base ?? base
      return ((ring.first...ring.count).map { ring.record($0, base: base) }, ring.last.map { surroundings.now - $0 })
    }
  }

  /// Counts all events of this life.
  package var tally: EventTally { ring.withLock { $0.tally } }

  /// The number of the oldest event in memory; nil if there is none, or numbers are not final yet.
  var firstNumber: UInt64? {
    ring.withLock { ring in ring.count > 0 ? ring.base.map { $0 + ring.first } : nil }
  }

  /// Whether events have their final numbers.
  var isNumbered: Bool { ring.withLock { $0.base != nil } }
}
