internal import RuleSets

/// The steps for the routes of our tables.
struct RoutePlan {
  private(set) var creating: [Step] = []
  /// By devices that `DevicePlan.opening` sets up.
  private(set) var opening: [Step] = []
  private(set) var deleting: [Step] = []

  /// What tells one route from another when it is replaced (fib_table_insert, net/ipv4/fib_trie.c).
  private struct Key: Hashable, Comparable {
    var table: TableID
    var destination: IPv4Prefix
    var metric: RouteMetric
    var typeOfService: UInt8

    init(_ route: TableRoute) {
      table = route.table
      destination = route.destination
      metric = route.metric
      typeOfService = route.way.strange?.typeOfService ?? 0
    }

    static func < (left: Self, right: Self) -> Bool {
      (left.table, left.metric, left.destination, left.typeOfService)
        < (right.table, right.metric, right.destination, right.typeOfService)
    }
  }

  init(_ desired: DesiredState, _ actual: ActualState, _ devices: DevicePlan) {
    // Routes by devices that the plan takes away first are gone by then.
    let present = actual.routes.filter { !$0.leads(by: devices.routesLost) }
    var byKey = Dictionary(grouping: present, by: Key.init)
    let isSelected = { (key: Key) in
      key.metric == .active && key.destination == .all && key.typeOfService == 0
        && desired.selectedTables.contains(key.table)
    }

    var wanted = desired.routes.filter { !isSelected(Key($0)) }
    wanted.removeAll { $0.leads(by: devices.taken) }
    for route in wanted.filter({ $0.metric == .floor }) + wanted.filter({ $0.metric != .floor }) {
      let others = byKey.removeValue(forKey: Key(route)) ?? []
      let isLate = route.leads(by: devices.opened)
      if !others.contains(route) {
        if isLate { opening.append(.putRoute(route)) } else { creating.append(.putRoute(route)) }
      }
      // A single other one has just been replaced.
      if others.count > 1 { deleting += others.filter { $0 != route }.map { .deleteRoute($0) } }
    }
    // Before anything is sent to the table.
    for (key, routes) in byKey.sorted(by: { $0.key < $1.key }) where isSelected(key) {
      creating += routes.filter { $0.leads(by: desired.shut[key.table] ?? []) }.map { .deleteRoute($0) }
    }
    // By metric within a table: the floor is the last to go.
    for (key, routes) in byKey.sorted(by: { $0.key < $1.key }) where !isSelected(key) {
      deleting += routes.map { .deleteRoute($0) }
    }
  }
}

extension TableRoute {
  fileprivate func leads(by devices: Set<InterfaceName>) -> Bool {
    way.devices.contains(where: devices.contains)
  }
}
