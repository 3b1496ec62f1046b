/// What will happen, in order of time; at one time, descriptors come before timers, as in the reactor, and otherwise
/// the order of planning counts.
struct EventQueue {
  struct Entry {
    let at: Nanoseconds
    fileprivate let order: UInt64
    let event: Event
  }

  /// A binary heap.
  private var heap: [Entry] = []
  private var planned: UInt64 = 0

  init() { heap.reserveCapacity(1_024) }

  mutating func plan(_ event: Event, at time: Nanoseconds) {
    planned += 1
    let rank: UInt64 = if case .timer = event { 1 << 62 } else { 0 }
    heap.append(Entry(at: time, order: rank | planned, event: event))
    rise(heap.count - 1)
  }

  mutating func next() -> Entry? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    return first
  }

  var nextTime: Nanoseconds? { heap.first?.at }

  private static func isBefore(_ left: Entry, _ right: Entry) -> Bool {
    left.at != right.at ? left.at < right.at : left.order < right.order
  }

  private mutating func rise(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard Self.isBefore(heap[child], heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in [parent * 2 + 1, parent * 2 + 2] where child < heap.count {
        if Self.isBefore(heap[child], heap[least]) { least = child }
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}

/// Something that the world does at its time.
enum Event {
  /// A probe has a result, and its socket is readable.
  case arrival(socket: Int, number: UInt64, Arrival)
  case news(News)
  case timer(life: Int, token: UInt64)
  /// The agent's thread runs again.
  case wake
  case birth
  case fault
}

enum Arrival {
  case answered(roundTrip: Nanoseconds)
  case refused
  case couldNotSend
}

/// What the kernel or another part of the agent tells the watch.
enum News {
  case link(device: Int)
  case plan
  /// Another program has changed something of ours.
  case stirred
  /// Keys of the path's tunnel came or went.
  case keys(path: Int)
}
