/// One segment of the way between the router and its probes' targets: an uplink, a hub, a tunnel or a target.
struct SimulatedLink {
  enum Cut: String { case none, requests, answers, both }

  /// Loss that comes in bursts (Gilbert and Elliott): in a burst nine of ten are lost.
  struct Bursts {
    /// How many of 1,000 packets begin or end a burst.
    var begin: Int
    var end: Int
    var isOn = false
  }

  /// Of 1,000 packets.
  var loss = 0
  var bursts: Bursts?
  /// There and back.
  var delay: Nanoseconds
  /// The random part of each packet's delay.
  var jitter: Nanoseconds = 0
  /// How many of 1,000 answers are held back so long that later ones overtake them.
  var reordering = 0
  var duplication = 0
  var cut = Cut.none
  /// The far end refuses (ICMP "unreachable", a wrong status).
  var refuses = false

  init(delay: Nanoseconds) { self.delay = delay }

  /// A healthy line: no slower than most.
  var isClean: Bool {
    delay <= 20 * millisecond && loss == 0 && bursts == nil && jitter == 0 && reordering == 0 && duplication == 0
      && cut == .none && !refuses
  }

  /// Nothing is random: it carries everything or nothing, each packet as slowly as the last.
  mutating func calm() {
    loss = 0
    bursts = nil
    jitter = 0
    reordering = 0
    duplication = 0
  }

  /// Whether a packet is lost on it, there or back.
  mutating func loses(isAnswer: Bool, _ dice: inout Dice) -> Bool {
    if cut == .both || cut == (isAnswer ? .answers : .requests) { return true }
    if loss > 0 && dice.chance(loss) { return true }
    guard var bursts else { return false }
    if dice.chance(bursts.isOn ? bursts.end : bursts.begin) { bursts.isOn.toggle() }
    self.bursts = bursts
    return bursts.isOn && dice.chance(900)
  }

  /// How long an answer takes over it, there and back.
  func time(_ dice: inout Dice) -> Nanoseconds {
    var time = delay
    if jitter > 0 { time += dice.time(0...jitter) }
    if reordering > 0 && dice.chance(reordering) { time += dice.time(0...300 * millisecond) }
    return time
  }

  /// For a trace.
  var text: String {
    var words = ["\(delay / microsecond) µs"]
    if jitter > 0 { words.append("jitter \(jitter / microsecond) µs") }
    if loss > 0 { words.append("loss \(loss) ‰") }
    if bursts != nil { words.append("bursts") }
    if reordering > 0 { words.append("reordering \(reordering) ‰") }
    if duplication > 0 { words.append("duplication \(duplication) ‰") }
    if cut != .none { words.append("cut: \(cut.rawValue)") }
    if refuses { words.append("refuses") }
    return words.joined(separator: ", ")
  }
}
