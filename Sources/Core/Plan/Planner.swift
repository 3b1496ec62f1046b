/// The steps from what the kernel has to what it should have. Pure, minimal, and empty if nothing differs.
///
/// first:  no flowtable, where anything changes that says where connections go
/// create: devices ▸ settings ▸ addresses ▸ floors ▸ routes ▸ ip rules ▸ nftables ▸ up ▸ routes by what came up
/// delete: nftables ▸ ip rules ▸ routes ▸ devices ▸ settings back
/// last:   the flowtable
///
/// Each prefix of it is safe: what a packet is sent to is there before it is sent there, a floor before any other route
/// of its table, and guards and belts of the rules that end stand until those of the new ones do.
///
/// Where the kernel still has marks of another mask, ip rules for the new ones come first of all: see `MarkMigration`.
package enum Planner {
  /// - Parameter remembered: the values that settings had before we changed them.
  package static func plan(
    desired: DesiredState, actual: ActualState, remembered: [InterfaceSetting: Int] = [:]
  ) -> Plan {
    let devices = DevicePlan(desired, actual)
    let routes = RoutePlan(desired, actual, devices)
    let rules = rulePlan(desired.rules, actual.rules)
    let migrations = MarkMigration.all(from: actual.rules, to: desired.rules)
    let nftTable = nftPlan(desired.nftTable, actual.nftTable, inPlace: migrations.isEmpty)
    let clearing = routes.deleting + devices.deleting + restoring(remembered, desired, actual)
    let fast = FastPlan(
      desired.fastTable, actual.fastTable,
      whileChanging: nftTable.creating + nftTable.deleting + rules.creating + rules.deleting)
    guard !migrations.isEmpty else {
      return Plan(
        creating: fast.closing + devices.creating + routes.creating + rules.creating + nftTable.creating
          + devices.opening
          + routes.opening,
        deleting: nftTable.deleting + rules.deleting + clearing + fast.opening)
    }
    let order = MigrationOrder(migrations, rules, nftTable.creating)
    return Plan(
      creating: fast.closing + routes.creating.filter(\.isFloor) + order.before
        + devices.creating.filter { !$0.changesTunnel }
        + routes.creating.filter { !$0.isFloor } + order.turn + devices.creating.filter(\.changesTunnel)
        + order.renewal + devices.opening + routes.opening,
      deleting: nftTable.deleting + order.after + clearing + fast.opening)
  }

  /// Removes everything that is ours and puts the settings back.
  package static func teardown(actual: ActualState, remembered: [InterfaceSetting: Int]) -> Plan {
    plan(desired: DesiredState(), actual: actual, remembered: remembered)
  }

  private static func rulePlan(
    _ desired: [RoutingRule], _ actual: [RoutingRule]
  ) -> (creating: [Step], deleting: [Step]) {
    var extra = actual
    var missing: [RoutingRule] = []
    for rule in desired {
      if let index = extra.firstIndex(of: rule) { extra.remove(at: index) } else { missing.append(rule) }
    }
    // Each by its own: a whole mask of one may be a block's of the other.
    let (new, old) = (wholeMasks(desired), wholeMasks(actual))
    return (
      inOrder(missing, by: { $0.dependence(new) }).map { .addRule($0) },
      inOrder(extra, by: { -$0.dependence(old) }).map { .deleteRule($0) }
    )
  }

  private static func wholeMasks(_ rules: [RoutingRule]) -> Set<MarkMask> {
    Set(rules.filter(\.leadsToTable).compactMap(\.mark?.mask))
  }

  /// Stable, so that plans read as the kernel asks.
  private static func inOrder(_ rules: [RoutingRule], by key: (RoutingRule) -> Int) -> [RoutingRule] {
    rules.enumerated().sorted { (key($0.element), $0.offset) < (key($1.element), $1.offset) }.map(\.element)
  }

  /// - Parameter inPlace: false: every rule changes anyway.
  private static func nftPlan(
    _ desired: NftTable?, _ actual: NftTable?, inPlace: Bool
  ) -> (creating: [Step], deleting: [Step]) {
    guard let desired else { return ([], actual.map { [.deleteNftTable(table: $0.name)] } ?? []) }
    if desired == actual { return ([], []) }
    // Without a change of what asks them sets may change piece by piece.
    if inPlace, let actual, let steps = SetSweep.steps(from: actual, to: desired) { return (steps, []) }
    guard let actual, let change = NftChange(from: actual, to: desired) else {
      return ([.replaceNftTable(desired)], [])
    }
    if change.edits.isEmpty { return ([], []) }
    return ([inPlace ? .changeNftTable(change) : .replaceNftTable(desired)], [])
  }

  /// Our own devices take their settings with them.
  private static func restoring(
    _ remembered: [InterfaceSetting: Int], _ desired: DesiredState, _ actual: ActualState
  ) -> [Step] {
    let settings = remembered.keys.sorted().filter { setting in
      guard desired.settings[setting] == nil else { return false }
      if setting.interface == InterfaceSetting.all { return true }
      return actual.links[setting.interface].map { !$0.isOurs } ?? false
    }
    return settings.isEmpty ? [] : [.restoreSettings(settings)]
  }
}

extension RoutingRule {
  /// What a `goto` leads to is there as long as the `goto` is, and that as long as what it leads around: the kernel passes
  /// over one that leads nowhere, and the router's own packets would meet the belts. What takes a whole block of marks to
  /// their lookups is there no longer than those (`MarkTree`).
  ///
  /// - Parameter whole: the masks of single marks.
  fileprivate func dependence(_ whole: Set<MarkMask>) -> Int {
    switch action {
    case .nop: 0
    case .goto: mark.map { whole.contains($0.mask) } ?? true ? 1 : 3
    case .lookup, .unreachable, .prohibit, .strange: 2
    }
  }
}

extension InterfaceSetting: Comparable {
  package static func < (left: Self, right: Self) -> Bool {
    (left.interface, left.key.rawValue) < (right.interface, right.key.rawValue)
  }
}
