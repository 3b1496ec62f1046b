package import Core
internal import RuleSets

extension RouterView {
  /// From a status that came as text, from an agent that may be of another version: an unknown word counts as the worst
  /// that it can mean.
  package init(_ status: StatusReport) {
    self.init(
      revision: status.revision, source: status.source, pullTrouble: status.pullTrouble,
      pullFailures: status.pullFailures)
    applyTrouble = status.applyTrouble
    journalTrouble = status.journalTrouble
    notKept = status.notKept
    hold = status.hold.map { Hold(rawValue: $0) ?? .everything }
    holdCause = status.holdCause
    rules = status.rules.filter(\.enabled).map(Rule.init)
    paths = status.paths.map(Path.init)
    uplinks = status.uplinks.map(Uplink.init)
    charonAnswers = status.charon?.answers
    fullTable = status.connections.flatMap { table in
      table.fullSeconds.map { _ in FullTable(used: table.used, limit: table.limit) }
    }
    forcesOfNoPath = status.forcesOfNoPath.map(\.path)
    sightTrouble = status.sight.trouble
  }
}

extension RouterView.Rule {
  fileprivate init(_ report: RuleReport) {
    self.init(
      name: report.name, mode: RuleMode(rawValue: report.mode) ?? .blocked, way: report.choice, cause: report.cause)
    device = report.device
    shares = report.shares.map(\.path)
    let measure = report.choose.flatMap(PathPreference.Measure.init) ?? .order
    firstTier = measure == .order ? report.tiers.first?.map(\.path) ?? [] : report.paths
    isUnencrypted = report.unencrypted
    traffic = report.trafficState
    trafficCause = report.traffic?.cause
    step = report.traffic?.step
  }
}

extension RouterView.Path {
  fileprivate init(_ report: PathReport) {
    self.init(
      name: report.name, state: PathHealth.State(rawValue: report.state) ?? .unknown, cause: report.cause,
      device: report.device)
    uplink = report.uplink
    isForced = report.forced != nil
    trouble = report.downCause.flatMap(Diagnosis.Cause.init)
    gap = report.missing.flatMap(Diagnosis.Gap.init)
    obstacle = report.obstacle
    keys = report.keys.flatMap(Keys.init)
  }
}

extension RouterView.Uplink {
  fileprivate init(_ report: UplinkReport) {
    self.init(
      interface: report.interface, isUsable: report.usable,
      state: ProbeMachine.State(rawValue: report.state) ?? .unknown)
    isPrivate = report.isPrivate
    obstacle = report.obstacle
    hasTargets = report.scouts.contains { $0.roles.contains(Scout.Role.target.rawValue) }
  }
}
