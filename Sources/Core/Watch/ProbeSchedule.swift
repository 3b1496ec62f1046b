internal import RuleSets

/// Which probe is due when: a binary heap in which the place of each probe is known, so that another time for it is a few
/// swaps. With a thousand probes a timer of the loop's for each would cost more than what it is for.
struct ProbeSchedule: Equatable, Sendable {
  private struct Turn: Equatable, Sendable {
    /// In nanoseconds, as `Instant`.
    var due: Int64
    var probe: Int

    /// The order of those that leave on one beat stays the same, so that none is sometimes first and sometimes last of
    /// many.
    static func < (left: Turn, right: Turn) -> Bool {
      left.due == right.due ? left.probe < right.probe : left.due < right.due
    }
  }

  private var turns: [Turn] = []
  /// For each probe, its index in `turns`; -1: it has no turn.
  private var places: [Int] = []

  init() {}

  var count: Int { turns.count }
  /// When the first is due.
  var next: Instant? { turns.first.map { Instant(nanoseconds: $0.due) } }

  /// The number of the first probe, where that is due.
  func due(at now: Instant) -> Int? { turns.first.flatMap { $0.due <= now.nanoseconds ? $0.probe : nil } }

  /// The probe of this number, 0 or more, has its turn then and at no other time.
  mutating func set(_ probe: Int, at due: Instant) {
    let due = due.nanoseconds
    while places.count <= probe { places.append(-1) }
    let place = places[probe]
    guard place >= 0 else {
      turns.append(Turn(due: due, probe: probe))
      places[probe] = turns.count - 1
      rise(turns.count - 1)
      return
    }
    let before = turns[place].due
    turns[place].due = due
    if due < before { rise(place) } else { sink(place) }
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
    places[turn.probe] = place
  }
}
