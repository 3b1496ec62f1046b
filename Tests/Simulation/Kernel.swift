import Agent
import Core
internal import RuleSets

/// The active default routes of the rules' tables, in a kernel that refuses what Linux refuses.
struct Kernel {
  fileprivate(set) var routes: [TableRoute.Way?] = []
  /// As they were when the agent last took a plan.
  fileprivate(set) var routesBefore: [TableRoute.Way?] = []
  /// Who made a table's route: another program, until the agent has had time to repair it.
  fileprivate(set) var isForeign: [Bool] = []
  /// Until then it answers ENOBUFS.
  var refusesUntil: Nanoseconds = 0
  /// Since when a table was seen not to lead where its rule's choice does, on the clock that stops during sleep.
  var strayedSince: [Nanoseconds?] = []

  mutating func begin(_ town: Town) {
    routes = town.rules.map { _ in nil }
    isForeign = town.rules.map { _ in false }
    strayedSince = town.rules.map { _ in nil }
  }

  mutating func remember() { routesBefore = routes }

  /// When a device goes down its routes go too, without an event.
  mutating func flush(_ device: InterfaceName, isGone: Bool, isUp: (InterfaceName) -> Bool) {
    for number in routes.indices {
      // One that shares stays while one of its devices is up; the fake kernel's contract has it from Linux.
      let devices = routes[number]?.devices ?? []
      if devices.contains(device) && (isGone || !devices.contains { $0 != device && isUp($0) }) {
        put(nil, number, isForeign: isForeign[number])
      }
    }
  }

  /// The table no longer belongs to a rule.
  mutating func forget(_ rule: Int) { put(nil, rule, isForeign: false) }

  mutating func wipe() { for number in routes.indices { forget(number) } }

  mutating func put(_ way: TableRoute.Way?, _ rule: Int, isForeign: Bool) {
    routes[rule] = way
    self.isForeign[rule] = isForeign
    strayedSince[rule] = nil
  }
}

// Questions from a pilot.
extension World {
  private func refusal() -> KernelFailure? {
    now < kernel.refusesUntil ? KernelFailure(operation: "simulated", errno: 105, cause: "no buffer space") : nil
  }

  func activate(_ route: TableRoute) throws(KernelFailure) {
    if let refusal = refusal() { throw refusal }
    guard let rule = town.ruleNumber(route.table) else { return }
    for device in route.way.devices {
      guard let number = town.deviceNumbers[device] else { continue }
      let state = town.devices[number]
      if !state.exists { throw KernelFailure(operation: "route to \(device)", errno: 19, cause: "no such device") }
      if !state.isUp { throw KernelFailure(operation: "route to \(device)", errno: 100, cause: "network is down") }
    }
    kernel.put(route.way, rule, isForeign: false)
    note { "  table \(route.table): \(Self.text(route.way))" }
    checkWay(of: rule)
  }

  func deactivate(_ table: TableID) throws(KernelFailure) {
    if let refusal = refusal() { throw refusal }
    guard let rule = town.ruleNumber(table) else { return }
    kernel.put(nil, rule, isForeign: false)
    note { "  table \(table): the floor" }
  }

  func activeRoutes(of tables: Set<TableID>) throws(KernelFailure) -> [TableID: TableRoute.Way] {
    if let refusal = refusal() { throw refusal }
    var active: [TableID: TableRoute.Way] = [:]
    for (number, way) in kernel.routes.enumerated() { active[town.rules[number].table] = way }
    return active.filter { tables.contains($0.key) }
  }
}
