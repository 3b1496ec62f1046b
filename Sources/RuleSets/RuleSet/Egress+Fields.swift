extension DraftEgress: Described {
  static let blank = DraftEgress(egress: Egress(name: .blank, tiers: [], fallback: .localWAN), tiers: [])

  init(_ egress: Egress) {
    self.egress = egress
    tiers = egress.tiers.enumerated().map { Item(index: $0, value: DraftTier($1)) }
  }

  mutating func fields(_ fields: Fields) {
    /// No rule with paths of its own may have the same.
    fields.name(&egress.name, of: .egresses)
    wayFields(fields, else: "")
  }

  /// The fields that a rule has as well, where it has an egress of its own.
  ///
  /// - Parameter other: follows what to complain of where there is no path: what could be there instead.
  mutating func wayFields(_ fields: Fields, else other: String) {
    /// In order of preference: the first one that is up carries the traffic. An item is the name of a path, or a group of
    /// paths that share the flows; see [Sharing](#sharing).
    /// - Value: list with 1 to 64 paths in all
    fields.objects(
      "paths", 1...RuleSetBounds.pathsOfEgress, orShort: .name, &tiers,
      missing: "a list of paths, the preferred one first\(other)")
    if fields.isReading { judgePaths(fields) }
    choiceFields(fields)
    /// What happens when no path is up. `local_wan`: traffic leaves by the uplinks, in the order of their tiers,
    /// masqueraded; never by a private line. `block`: it goes nowhere, not even while the agent is stopped. All paths then
    /// are tunnels. `underlay`: it leaves by the private line below the tunnels, in the clear, and by no other uplink; see
    /// [Private lines](#private-lines).
    fields.required("fallback", .choice(), &egress.fallback)
    /// What happens to live flows when a better path is back: they are set up anew on it, or end where they are.
    fields.standard("failback", .choice(), &egress.failback)
    /// With `failback: drain`: flows that have not ended on the old way after this time are set up anew on the better one.
    /// `0`: they have all the time they need.
    fields.standard("drain_limit_seconds", .seconds(0...604_800), &egress.drainLimit)
    /// How long a better path must have been up before traffic returns to it.
    fields.standard("hold_down_ms", .milliseconds(0...86_400_000), &egress.holdDown)
    /// Keeps traffic from a path that comes and goes: each fall counts, and its weight halves after this time. After three
    /// falls in quick succession, traffic returns after one and a half half-lives, and never later than after three. `0`:
    /// no damping. A path that keeps falling is still used where no other is up.
    fields.standard("flap_half_life_seconds", .seconds(0...86_400), &egress.damping.halfLife)
  }

  private mutating func choiceFields(_ fields: Fields) {
    /// Which of the paths that are up carries the traffic. `order`: the first one. `latency`: the one with the shortest
    /// round trip; `loss`: the one that loses least; see [Choosing by measurement](#choosing-by-measurement).
    fields.standard("choose", .choice(unsupported: ["rtt": "did you mean \"latency\"?"]), &egress.preference.measure)
    if fields.isReading, egress.preference.isMeasured, tiers.contains(where: \.value.isBalance) {
      fields.complain(
        "choose",
        "expected \"order\" where paths share flows, found \(quoted(egress.preference.measure.rawValue))")
    }
    /// With `choose: latency`: by how much another path's round trip must be shorter.
    fields.standard("latency_margin_ms", .milliseconds(0...10_000), &egress.preference.latencyMargin)
    /// With `choose: loss`: by how many percentage points another path must lose less.
    fields.standard(
      "loss_margin_percent", Form<Int64>.integer(1...100, of: "percent").mapped { Double($0) },
      &egress.preference.lossMargin)
    /// With `choose: latency` or `loss`: how long another path must have been better by the margin.
    fields.standard("choose_hold_ms", .milliseconds(0...86_400_000), &egress.preference.hold)
  }

  private func judgePaths(_ fields: Fields) {
    let paths = paths
    for (count, path) in paths.enumerated() {
      guard let first = paths.prefix(count).first(where: { $0.name == path.name }) else { continue }
      // `[0]` beside its neighbour in the same list, the whole place elsewhere.
      let place = first.place.contains(".") ? first.place : String(first.place.dropFirst("paths".count))
      fields.complain(path.place, "\(quoted(path.name.text)) is there twice, first at \(place)")
    }
    if paths.count > RuleSetBounds.pathsOfEgress {
      fields.complain("paths", "expected at most \(RuleSetBounds.pathsOfEgress) paths, found \(paths.count)")
    }
  }
}

extension DraftTier: ShortlyDescribed {
  static let blank = DraftTier()

  init(_ shares: [PathShare]) {
    self.shares = shares.enumerated().map { Item(index: $0, value: $1) }
    isBalance = shares.count != 1
  }

  /// The path, where it is the only one.
  var short: Name? {
    get { isBalance ? nil : shares.first?.value.path }
    set {
      isBalance = newValue == nil
      shares = newValue.map { [Item(index: 0, value: PathShare($0))] } ?? []
    }
  }

  mutating func fields(_ fields: Fields) {
    /// Paths that share the flows, as long as they are up.
    fields.objects(
      "balance", 2...RuleSetBounds.pathsOfEgress, &shares, isUnique: true,
      missing: "a list of the paths that share flows")
  }
}

extension PathShare: Described {
  package static let blank = PathShare(.blank)

  package mutating func fields(_ fields: Fields) {
    /// No path is in an egress twice.
    /// - Value: a path's name
    fields.required("path", .name, &path)
    /// How many of the group's flows it takes, beside the others' weights.
    fields.standard("weight", .count(1...256), &weight)
  }
}
