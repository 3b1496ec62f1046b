internal import Agent
internal import Core

/// What `backhaul watch` shows and what its keys do: everything but the terminal and the agent. It gets the answers and
/// the keys, and says what to draw and what to ask.
struct LiveView {
  /// How many answers a line of RTT and loss goes back.
  static let samples = 60

  /// What the keys have brought about.
  enum Order: Equatable, Sendable {
    case quit
    /// `force` is `up`, `down` or `auto`; nil seconds: until it is taken back.
    case force(path: String, force: String, seconds: Double?)
  }

  /// What the next key means.
  enum Mode: Equatable, Sendable {
    case normal
    /// Typing the filter; the one before comes back with Esc.
    case filter(before: String)
    case force(path: String)
    case lasting(path: String, force: String)
    case help
  }

  struct Sample: Equatable, Sendable {
    /// Nil: no answer.
    var rttMs: Double?
    var loss: Double?
  }

  /// With more paths than that, only those on the screen are requested each time, and all of them occasionally.
  static let manyPaths = 100
  private static let mostPartialAnswers = 10

  private(set) var status: StatusReport?
  /// Answers since all paths were included; nil: request all now.
  private var partialAnswers: Int?
  /// The newest last.
  private(set) var events: [EventReport] = []
  private(set) var samples: [String: [Sample]] = [:]
  /// Why there is no new answer.
  private(set) var trouble: String?
  /// What came of the last order.
  var message: String?
  private(set) var mode = Mode.normal
  private(set) var filter = ""
  /// Only what is not as it should be.
  private(set) var isTroubleOnly = false
  private(set) var isPaused = false
  /// The name, so that the choice stays where paths come and go.
  private(set) var selected: String?

  /// The paths to request for a screen with this many lines; nil: all.
  func wanted(lines: Int) -> [String]? {
    guard let status, status.pathsInAll > Self.manyPaths, partialAnswers != nil else { return nil }
    return visible(rows: min(lines, Self.manyPaths)).map(\.name)
  }

  /// Of the visible ones, this many around the selected one.
  func visible(rows: Int) -> ArraySlice<PathReport> {
    let all = shown
    let index = all.firstIndex { $0.name == selected } ?? 0
    return all.dropFirst(max(0, min(index - rows / 2, all.count - rows))).prefix(rows)
  }

  /// - Parameter report: of all paths, or of those that were wanted.
  mutating func answered(_ report: StatusReport, newEvents: [EventReport]) {
    trouble = nil
    guard !isPaused else { return }
    events = (events + newEvents).suffix(50)
    if report.paths.count == report.pathsInAll {
      status = report
      partialAnswers = 0
    } else if !complete(report) {
      // There are others than before: the next answer has all.
      return partialAnswers = nil
    }
    let names = Set(status?.paths.map(\.name) ?? [])
    var kept = samples.filter { names.contains($0.key) }
    for path in report.paths {
      // The last round trip of a path that is down is an old one.
      let isSilent = path.state == "down" || path.state == "disabled"
      let sample = Sample(rttMs: isSilent ? nil : path.rttMs, loss: path.loss)
      kept[path.name] = ((samples[path.name] ?? []) + [sample]).suffix(Self.samples)
    }
    samples = kept
    if selected.map({ !names.contains($0) }) ?? true { selected = shown.first?.name }
  }

  /// Takes the report, and keeps what is known about paths that it leaves out. False if that cannot be.
  private mutating func complete(_ report: StatusReport) -> Bool {
    guard let before = status, before.paths.count == report.pathsInAll, before.revision == report.revision else {
      return false
    }
    let news = Dictionary(report.paths.map { ($0.name, $0) }) { first, _ in first }
    var all = report
    all.paths = before.paths.map { news[$0.name] ?? $0 }
    let isCurrent = all.pathsUp == all.paths.count { $0.state == "up" }
    let answers = (partialAnswers ?? 0) + 1
    partialAnswers = isCurrent && answers < Self.mostPartialAnswers ? answers : nil
    status = all
    return true
  }

  mutating func failed(_ why: String) { trouble = why }

  /// The paths that the filter lets through, in the rule set's order.
  var shown: [PathReport] {
    let words = filter.lowercased().split(separator: " ")
    return (status?.paths ?? []).filter { path in
      if isTroubleOnly && path.state == "up" && path.forced == nil { return false }
      let text =
        ([path.name, path.state, path.kind, path.device, path.uplink ?? "", path.downCause ?? ""] + path.carries)
        .joined(separator: " ").lowercased()
      return words.allSatisfy { text.containsText($0) }
    }
  }

  mutating func typed(_ key: Key) -> Order? {
    if key == .interrupt { return .quit }
    switch mode {
    case .normal: return typedNormally(key)
    case .help: mode = .normal
    case .filter(let before): edit(key, before)
    case .force(let path): choose(key, path)
    case .lasting(let path, let force): return confirm(key, path, force)
    }
    return nil
  }

  private mutating func typedNormally(_ key: Key) -> Order? {
    message = nil
    switch key {
    case .character("q"), .escape: return .quit
    case .character("?"), .character("h"): mode = .help
    case .character("/"): mode = .filter(before: filter)
    case .character("t"):
      isTroubleOnly.toggle()
      stay()
    case .character("p"), .character(" "): isPaused.toggle()
    case .character("f"), .enter:
      if let selected { mode = .force(path: selected) } else { message = "there is no path to force" }
    case .down, .character("j"): move(1)
    case .up, .character("k"): move(-1)
    case .pageDown: move(10)
    case .pageUp: move(-10)
    case .home, .character("g"): move(-shown.count)
    case .end, .character("G"): move(shown.count)
    default: break
    }
    return nil
  }

  private mutating func move(_ step: Int) {
    let names = shown.map(\.name)
    guard !names.isEmpty else { return }
    let index = selected.flatMap { names.firstIndex(of: $0) } ?? 0
    selected = names[min(max(0, index + step), names.count - 1)]
  }

  /// On a path that is shown.
  private mutating func stay() {
    let names = shown.map(\.name)
    if selected.map({ !names.contains($0) }) ?? true { selected = names.first }
  }

  private mutating func edit(_ key: Key, _ before: String) {
    switch key {
    case .enter: mode = .normal
    case .escape:
      filter = before
      mode = .normal
    case .backspace: if !filter.isEmpty { filter.removeLast() }
    case .character(let character): if filter.count < 40 { filter.append(character) }
    default: break
    }
    stay()
  }

  private mutating func choose(_ key: Key, _ path: String) {
    switch key {
    case .character("u"): mode = .lasting(path: path, force: "up")
    case .character("d"): mode = .lasting(path: path, force: "down")
    case .character("a"): mode = .lasting(path: path, force: "auto")
    case .escape, .character("q"): mode = .normal
    default: break
    }
  }

  /// Traffic moves only with a second key.
  private mutating func confirm(_ key: Key, _ path: String, _ force: String) -> Order? {
    let seconds: Double? =
      switch key {
      case .character("1") where force != "auto": 600
      case .character("2") where force != "auto": 3_600
      default: nil
      }
    guard seconds != nil || key == .enter else {
      if key == .escape || key == .character("q") || key == .character("n") { mode = .normal }
      return nil
    }
    mode = .normal
    return .force(path: path, force: force, seconds: seconds)
  }
}
