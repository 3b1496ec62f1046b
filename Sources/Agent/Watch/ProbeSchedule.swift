internal import Core

/// Which probe is due when: a binary heap in which each probe knows its place, so that another time for it is a few swaps.
/// With a thousand probes a timer of the loop's for each would cost more than what it is for.
struct ProbeSchedule {
  private struct Turn {
    /// In nanoseconds, as `Instant`.
    var due: Int64
    var probe: WatchedProbe
  }

  private var turns: [Turn] = []

  var count: Int { turns.count }
  /// When the first is due.
  var next: Instant? { turns.first.map { Instant(nanoseconds: $0.due) } }

  /// The first probe, where that is due.
  func due(at now: Instant) -> WatchedProbe? { turns.first.flatMap { $0.due <= now.nanoseconds ? $0.probe : nil } }

  mutating func set(_ probe: WatchedProbe, at due: Instant) {
    let due = due.nanoseconds
    guard let place = probe.place else {
      turns.append(Turn(due: due, probe: probe))
      probe.place = turns.count - 1
      rise(turns.count - 1)
      return
    }
    let before = turns[place].due
    turns[place].due = due
    if due < before { rise(place) } else { sink(place) }
  }

  mutating func remove(_ probe: WatchedProbe) {
    guard let place = probe.place else { return }
    probe.place = nil
    let last = turns.removeLast()
    guard last.probe !== probe else { return }
    turns[place] = last
    last.probe.place = place
    rise(place)
    sink(last.probe.place ?? place)
  }

  private mutating func rise(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard turns[child].due < turns[parent].due else { return }
      swap(child, parent)
      child = parent
    }
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      let left = 2 * parent + 1
      if left < turns.count && turns[left].due < turns[least].due { least = left }
      if left + 1 < turns.count && turns[left + 1].due < turns[least].due { least = left + 1 }
      if least == parent { return }
      swap(parent, least)
      parent = least
    }
  }

  private mutating func swap(_ one: Int, _ other: Int) {
    turns.swapAt(one, other)
    turns[one].probe.place = one
    turns[other].probe.place = other
  }
}
