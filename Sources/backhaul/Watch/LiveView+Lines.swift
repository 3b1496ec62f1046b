internal import Agent

extension LiveView {
  /// The whole screen: exactly as many lines as it has, none wider. The selected path is always among them.
  ///
  /// - Parameter clock: what the wall clock says, as text.
  func lines(columns: Int, lines: Int, clock: String, colours: Bool) -> [String] {
    let columns = max(20, columns)
    let room = max(8, lines)
    if mode == .help { return fit(Self.help.map { Line($0) }, columns, room, colours) }
    var page = [head(clock, columns)]
    if let trouble { page.append(Line("no answer: \(trouble)", .red)) }
    guard let status else { return fit(page + [Line("waiting for the agent")], columns, room, colours) }
    page.append(Line(""))
    page += rules(status)
    page.append(Line(""))
    let foot = footer(columns)
    let detail = details(columns)
    let news = events.suffix(max(0, min(6, room - page.count - foot.count - detail.count - 6)))
    let below = detail + (news.isEmpty ? [] : [Line("")] + news.map(Self.line))
    page += paths(columns, room: max(2, room - page.count - below.count - foot.count))
    page += below
    page = Array(page.prefix(room - foot.count))
    page += Array(repeating: Line(""), count: room - foot.count - page.count)
    return fit(page + foot, columns, room, colours)
  }

  /// One line, with at most one colour.
  private struct Line {
    var text: String
    var colour: Terminal.Colour?
    var isSelected = false
    init(_ text: String, _ colour: Terminal.Colour? = nil, isSelected: Bool = false) {
      self.text = Terminal.plain(text)
      self.colour = colour
      self.isSelected = isSelected
    }
  }

  private func fit(_ page: [Line], _ columns: Int, _ room: Int, _ colours: Bool) -> [String] {
    page.prefix(room).map { line in
      let text = line.text.count > columns ? "\(line.text.prefix(columns - 1))…" : line.text
      let painted = Terminal.paint(text, line.colour, ifWanted: colours)
      // The choice must be seen without colours too: it has a mark of its own in the line.
      return line.isSelected && colours ? "\u{1b}[7m\(text)\u{1b}[0m" : painted
    }
  }

  private func head(_ clock: String, _ columns: Int) -> Line {
    guard let status else { return Line("backhaul watch  \(clock)") }
    let revision = status.revision.map { "revision \($0)" } ?? "no rule set yet"
    let left = "\(status.device)  \(revision), agent \(status.version) for \(Words.age(status.uptimeSeconds))"
    let right = isPaused ? "PAUSED  \(clock)" : clock
    let gap = max(2, columns - left.count - right.count)
    return Line(left + String(repeating: " ", count: gap) + right, isPaused ? .yellow : nil)
  }

  private func rules(_ status: StatusReport) -> [Line] {
    guard !status.rules.isEmpty else { return [Line("no rule is in force", .yellow)] }
    var table = Columns("RULE", "MODE", "GOES", "FOR", "CAUSE")
    for rule in status.rules {
      let goes = rule.shares.count > 1 ? Words.tiers([rule.shares]) : rule.choice ?? "-"
      table.add(
        rule.name, rule.unencrypted ? "UNENCRYPTED" : rule.mode, goes,
        rule.enabled ? Words.age(rule.sinceSeconds) : "-", rule.cause)
    }
    let colours = status.rules.map { rule -> Terminal.Colour? in
      if rule.unencrypted || rule.mode == "blocked" { return .red }
      return rule.mode == "fallback" ? .yellow : nil
    }
    return zip(table.lines, [nil] + colours).map { Line($0, $1) }
  }

  /// RTT and loss take what the other columns leave.
  private func paths(_ columns: Int, room: Int) -> [Line] {
    let visible = visible(rows: max(1, room - 1))
    guard !visible.isEmpty else { return [Line("no path is shown: \(filterText)", .yellow)] }
    let drawn = min(Self.samples, max(8, (columns - 66) / 2))
    var table = Columns("  PATH", "STATE", "FOR", "RTT", "LOSS", "RTT, NOW ON THE RIGHT", "LOSS", "CARRIES")
    for path in visible {
      let samples = (samples[path.name] ?? []).suffix(drawn)
      table.add(
        "\(path.name == selected ? "▸" : " ") \(path.name)", path.forced == nil ? path.state : "\(path.state)!",
        Words.age(path.sinceSeconds), Words.milliseconds(path.rttMs), Words.share(path.loss),
        Sparkline.relative(samples.map(\.rttMs), absent: "×"), Sparkline.shares(samples.map(\.loss), absent: "·"),
        path.carries.isEmpty ? "-" : path.carries.joined(separator: ","))
    }
    let lines = table.lines
    return [Line(lines[0])]
      + zip(lines.dropFirst(), visible).map { line, path in
        Line(line, Self.colour(of: path.state), isSelected: path.name == selected)
      }
  }

  private static func colour(of state: String) -> Terminal.Colour? {
    switch state {
    case "down": .red
    case "degraded", "unknown": .yellow
    default: nil
    }
  }

  private func details(_ columns: Int) -> [Line] {
    guard let path = status?.paths.first(where: { $0.name == selected }) else { return [] }
    var text = "\(path.name): \(path.state) on \(path.device)"
    text += path.uplink.map { " by \($0)" } ?? ""
    text += ": \(path.cause)"
    if let cause = path.downCause { text += "; \(cause): \(path.evidence ?? "")" }
    if let force = path.forced { text += "; \(Words.force(force))" }
    return [Line("")] + Self.wrapped(text, columns).map { Line($0) }
  }

  /// At blanks, in three lines at most.
  private static func wrapped(_ text: String, _ columns: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if line.isEmpty {
        line = String(word)
      } else if line.count + 1 + word.count <= columns {
        line += " \(word)"
      } else {
        lines.append(line)
        line = String(word)
      }
    }
    lines.append(line)
    return lines.count <= 3 ? lines : lines.prefix(2) + [lines.dropFirst(2).joined(separator: " ")]
  }

  private static func line(_ event: EventReport) -> Line {
    let time = event.time.dropFirst(11).prefix(8)
    return Line("\(time) \(event.text)", event.severity == "error" ? .red : event.severity == "warning" ? .yellow : nil)
  }

  private var filterText: String {
    let words = filter.isEmpty ? "" : "filter \u{201C}\(filter)\u{201D}"
    return [isTroubleOnly ? "only what is not up" : "", words].filter { !$0.isEmpty }.joined(separator: ", ")
  }

  private func footer(_ columns: Int) -> [Line] {
    let prompt =
      switch mode {
      case .filter: "filter: \(filter)▏  Enter keeps it, Esc clears it"
      case .force(let path): "force \(path):  u up   d down   a auto, its probes judge it   Esc cancel"
      case .lasting(let path, "auto"): "force \(path) auto:  Enter do it   Esc cancel"
      case .lasting(let path, let force):
        "force \(path) \(force):  Enter until cleared   1 for 10 minutes   2 for an hour   Esc cancel"
      case .normal, .help: message ?? filterText
      }
    return [
      Line(prompt, mode == .normal ? nil : .yellow),
      Line("q quit  ↑↓ choose  f force  / filter  t trouble only  p pause  ? help"),
    ]
  }

  private static let help = [
    "backhaul watch: rules, paths and events, once a second",
    "",
    "  ↑ ↓ j k      choose a path; Page Up, Page Down, Home, End",
    "  f, Enter     force it up or down, or let its probes judge it again (root only)",
    "  /            show only paths that match: a name, a state, a device, a rule",
    "  t            show only paths that are not up, or forced",
    "  p, Space     pause the display; probes go on",
    "  q, Esc       quit",
    "",
    "RTT and loss are drawn answer by answer, the newest on the right; × means no answer, and an",
    "exclamation mark means that somebody forced the state. `backhaul history PATH` draws the last hour.",
    "",
    "press any key to go back",
  ]
}
