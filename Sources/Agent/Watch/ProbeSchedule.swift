internal import Core
internal import RuleSets

/// Which probe is due when: a binary heap in which each probe knows its place, so that another time for it is a few swaps.
/// With a thousand probes a timer of the loop's for each would cost more than what it is for.
struct ProbeSchedule {
  private struct Turn {
    /// In nanoseconds, as `Instant`.
    var due: Int64
    var probe: WatchedProbe

    /// Of those that leave on one beat the order stays, so that none leaves now first and now last of many.
    static func < (left: Turn, right: Turn) -> Bool {
      left.due == right.due ? left.probe.order < right.probe.order : left.due < right.due
    }
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
    put(last, at: place)
    rise(place)
    sink(last.probe.place ?? place)
  }

  /// Moves those above it down until it is no earlier than the one above.
  private mutating func rise(_ start: Int) {
    let turn = turns[start]
    var place = start
    while place > 0 {
      let above = (place - 1) / 2
      guard turn < turns[above] else { break }
      put(turns[above], at: place)
      place = above
    }
    if place != start { put(turn, at: place) }
  }

  private mutating func sink(_ start: Int) {
    let turn = turns[start]
    var place = start
    while true {
      var least = 2 * place + 1
      guard least < turns.count else { break }
      if least + 1 < turns.count && turns[least + 1] < turns[least] { least += 1 }
      guard turns[least] < turn else { break }
      put(turns[least], at: place)
      place = least
    }
    if place != start { put(turn, at: place) }
  }

  private mutating func put(_ turn: Turn, at place: Int) {
    turns[place] = turn
    turn.probe.place = place
  }
}
