internal import Core
internal import RuleSets

/// What the reports show, as values to judge by.
extension ReportWriter {
  /// Its rules, paths and uplinks; the rest comes from other parts.
  ///
  /// - Parameter seen: what was seen of clients' packets.
  func view(_ seen: ClientSight.View, _ ranges: KernelRanges) -> RouterView {
    var view = RouterView(revision: watch.plan.revision)
    view.rules = watch.plan.rules.map(\.rule).sorted { $0.name < $1.name }.compactMap { one in
      watch.selections[one.name].map { rule(one.name, one.egress, $0, watch.causes[one.name], seen, ranges) }
    }
    // What steering rules send elsewhere is traffic that the rules cover, too.
    view.rules += watch.steeredAlone.compactMap { one in
      watch.steered[one.egress.name].map {
        rule(one.egress.name, one.egress, $0.selection, $0.cause, seen, ranges, title: "egress \(one.egress.name)")
      }
    }
    view.paths = watch.plan.paths.map(path)
    view.uplinks = watch.plan.uplinks.map { uplink in
      let standing = standing(of: uplink)
      var shown = RouterView.Uplink(
        interface: uplink.interface.text, isUsable: standing.obstacle == nil, state: standing.state)
      shown.isPrivate = uplink.isPrivate
      shown.obstacle = standing.obstacle
      shown.hasTargets = standing.outlook.scouts.contains { $0.roles.contains(.target) }
      return shown
    }
    view.forcesOfNoPath = forcesOfNoPath.map(\.path)
    view.sightTrouble = seen.trouble
    return view
  }

  private func rule(
    _ name: Name, _ egress: Egress, _ selection: RuleSelection, _ cause: String?, _ seen: ClientSight.View,
    _ ranges: KernelRanges, title: String? = nil
  ) -> RouterView.Rule {
    var shown = RouterView.Rule(
      name: title ?? name.text, mode: mode(of: selection), way: selection.choice?.description,
      cause: cause ?? selection.cause)
    shown.device = selection.choice.flatMap(device)
    shown.shares = (selection.choice?.paths ?? []).map(\.text)
    shown.firstTier = (egress.preference.isMeasured ? egress.paths : egress.tiers.first?.map(\.path) ?? []).map(\.text)
    shown.isUnencrypted = selection.isUnencrypted
    if let traffic = seen.rules[name] {
      let worst = traffic.findings.first
      shown.traffic = traffic.state
      shown.trafficCause = worst?.cause
      shown.step = worst?.step(for: name.text, ranges)
    }
    return shown
  }

  private func path(_ path: WatchPlan.WatchedPath) -> RouterView.Path {
    let health = watch.health[path.name] ?? PathHealth(at: watch.at)
    var shown = RouterView.Path(
      name: path.name.text, state: health.state, cause: health.cause, device: path.device.text)
    shown.uplink = path.underlay?.text
    shown.isForced = forces[path.name] != nil
    shown.trouble = watch.diagnoses[path.name]?.cause
    shown.gap = watch.diagnoses[path.name]?.gap
    shown.obstacle = path.obstacle
    shown.keys = path.securedTunnel.flatMap { watch.keys[$0] }.map(RouterView.Path.Keys.init)
    return shown
  }
}

extension RouterView.Path.Keys {
  fileprivate init(_ word: IKENews.Word) {
    switch word {
    case .unknown: self = .unknown
    case .pending: self = .pending
    case .up: self = .up
    case .down: self = .down
    }
  }
}

extension StatusReport {
  /// Whether traffic is protected, and what to do.
  mutating func judge(by view: RouterView) {
    let judgement = Protection(view)
    protection = judgement.word.rawValue
    summary = judgement.sentence
    nextSteps = NextSteps.of(view)
  }
}
