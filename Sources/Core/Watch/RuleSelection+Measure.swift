internal import RuleSets

// The choice among paths by what their probes measure.
//
//     another path is better by the margin ──▶ it leads ──for the hold──▶ traffic goes there
//                                               │ not better by half of the margin any more
//                                               ▼
//                                             it does not
//
// To take the lead asks for more than to keep it, and the lead must last. So two paths that are about equal do not take
// turns, however much both of them vary.
extension RuleSelection {
  /// With fewer results nothing is known of a path; as with limits.
  private static let leastResults = 5

  /// What the rule's paths are compared by, in milliseconds or percent: less is better. Empty where they are not compared;
  /// without those of which too little is known.
  static func figures(of egress: Egress, _ view: View) -> [Name: Double] {
    guard egress.preference.isMeasured else { return [:] }
    var figures: [Name: Double] = [:]
    for path in egress.paths {
      guard let measure = view.measure(path), measure.results >= leastResults else { continue }
      switch egress.preference.measure {
      case .order: break
      case .latency: figures[path] = measure.roundTrip?.milliseconds
      case .loss: figures[path] = measure.loss
      }
    }
    return figures
  }

  private var margin: Double {
    switch egress.preference.measure {
    case .order: 0
    case .latency: egress.preference.latencyMargin.milliseconds
    case .loss: egress.preference.lossMargin
    }
  }

  /// Notes which paths are better than the present one, and since when.
  mutating func followLeads(_ look: Look) {
    guard case .path(let current)? = choice, let own = look.figures[current] else {
      leads = [:]
      return
    }
    var leading: [Name: Instant] = [:]
    for seen in look.states where seen.name != current && seen.health?.state == .up {
      guard let figure = look.figures[seen.name], figure < own else { continue }
      let since = leads[seen.name]
      if own - figure >= (since == nil ? margin : margin / 2) { leading[seen.name] = since ?? look.now }
    }
    leads = leading
  }

  /// The best path that has led for long enough, and why; for the others that lead, someone must ask again.
  mutating func overtaking(_ look: Look) -> (path: Name, why: String)? {
    guard case .path(let current)? = choice, let own = look.figures[current] else { return nil }
    var best: (path: Name, figure: Double, since: Instant)?
    for seen in look.states {
      guard let since = leads[seen.name], let health = seen.health, let figure = look.figures[seen.name] else {
        continue
      }
      let due = mayOvertake(health, leadingSince: since, at: look.now)
      guard due <= look.now else {
        ask(at: due)
        continue
      }
      if best.map({ figure < $0.figure }) ?? true { best = (seen.name, figure, since) }
    }
    guard let best else { return nil }
    let seconds = Int((look.now - best.since).inSeconds)
    let why =
      "path \(best.path) has been better for \(seconds) s: \(words(best.figure)), path \(current): \(words(own))"
    return (best.path, why)
  }

  /// When a path that leads may be taken: after the hold, and as it would be returned to.
  private func mayOvertake(_ health: PathHealth, leadingSince since: Instant, at now: Instant) -> Instant {
    max(since + egress.preference.hold, mayReturn(health, at: now))
  }

  /// How the present path compares with the others, judged by the present.
  func comparison(_ current: [Name], _ view: View, at now: Instant) -> String {
    let figures = Self.figures(of: egress, view)
    guard let path = current.first, let own = figures[path] else {
      return "too little is measured yet; path \(current.map(\.text).joined(separator: ", ")) is up"
    }
    let leading = leads.compactMap { name, since -> (name: Name, figure: Double, wait: Double)? in
      guard let figure = figures[name], let health = view.state(name) else { return nil }
      return (name, figure, (mayOvertake(health, leadingSince: since, at: now) - now).inSeconds)
    }
    if let best = leading.min(by: { ($0.figure, $0.name) < ($1.figure, $1.name) }) {
      return "path \(path): \(words(own)); path \(best.name): \(words(best.figure)), and is taken in"
        + " \(Int(max(0, best.wait).rounded(.up))) s if it stays better"
    }
    let others = figures.filter { $0.key != path && view.state($0.key)?.state == .up }
    let isBest = others.allSatisfy { own <= $0.value }
    return isBest
      ? "best of the paths that are up: \(words(own))"
      : "\(words(own)), and no other path is better by the margin of \(amount(margin))"
  }

  private func words(_ figure: Double) -> String {
    egress.preference.measure == .loss ? "\(amount(figure)) loss" : "round trip \(amount(figure))"
  }

  private func amount(_ figure: Double) -> String {
    let tenths = Int((figure * 10).rounded())
    let number = tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    return egress.preference.measure == .loss ? "\(number) %" : "\(number) ms"
  }
}
