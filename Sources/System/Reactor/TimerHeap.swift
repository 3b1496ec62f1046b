package import Agent
internal import Core
package import RuleSets

/// Timers ordered by deadline, and by the order in which they were set where deadlines are equal. A binary heap with
/// lazy deletion: a cancelled timer's entry stays until it comes up or until such entries outnumber the live ones.
package struct TimerHeap {
  /// What a timer runs, with the time at which the loop found it due.
  package typealias Body = @Sendable (Instant) -> Void

  private struct Entry {
    var deadline: Int64
    var number: UInt64

    static func < (left: Entry, right: Entry) -> Bool {
      left.deadline == right.deadline ? left.number < right.number : left.deadline < right.deadline
    }
  }

  private var entries: [Entry] = []
  private var bodies: [UInt64: Body] = [:]
  private var lastNumber: UInt64 = 0

  package init() {}

  package var count: Int { bodies.count }

  /// Adds a timer in O(log n). Numbers rise, so one ID is never used twice.
  package mutating func set(_ deadline: Instant, _ body: @escaping Body) -> TimerID {
    lastNumber += 1
    bodies[lastNumber] = body
    entries.append(Entry(deadline: deadline.nanoseconds, number: lastNumber))
    siftUp(entries.count - 1)
    return TimerID(lastNumber)
  }

  /// Forgets the timer's body at once; its entry goes later.
  package mutating func cancel(_ timer: TimerID) {
    guard bodies.removeValue(forKey: timer.number) != nil else { return }
    if entries.count > 2 * bodies.count + 64 { compact() }
  }

  /// When the next timer is due.
  package mutating func nextDeadline() -> Instant? {
    dropCancelled()
    return entries.first.map { Instant(nanoseconds: $0.deadline) }
  }

  /// Takes the next timer that is due at `now` and was set before `limit`: a timer that is set by a timer waits for the
  /// next turn, so that no handler can hold the loop.
  package mutating func takeDue(_ now: Instant, before limit: TimerID) -> Body? {
    dropCancelled()
    guard let first = entries.first, first.deadline <= now.nanoseconds, first.number < limit.number else { return nil }
    removeFirst()
    return bodies.removeValue(forKey: first.number)
  }

  /// Greater than every timer ID given out so far.
  package var limit: TimerID { TimerID(lastNumber + 1) }

  private mutating func dropCancelled() {
    while let first = entries.first, bodies[first.number] == nil { removeFirst() }
  }

  private mutating func removeFirst() {
    let last = entries.removeLast()
    guard !entries.isEmpty else { return }
    entries[0] = last
    siftDown(0)
  }

  private mutating func compact() {
    entries = entries.filter { bodies[$0.number] != nil }.sorted(by: <)  // A sorted array is a heap.
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child] < entries[parent] else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && entries[child] < entries[least] {
        least = child
      }
      if least == parent { return }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
