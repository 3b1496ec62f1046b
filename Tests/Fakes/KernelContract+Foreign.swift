import Agent
import Core
internal import RuleSets

extension KernelGround {
  /// Our own objects, and those that the kernel comes with, are not included.
  func foreignTold() throws {
    try expect(try foreign.foreign(), is: ForeignObjects(), "in a fresh kernel")
    let table = TableID(ranges.tables.lowerBound + 5)
    let rule = RoutingRule(
      priority: RulePriority(ranges.priorities.lowerBound + 20), mark: .init(Mark(value: 0x1200_0000), ranges.markMask),
      action: .lookup(table, suppressPrefixLength: nil))
    try apply([.addRule(rule), .putRoute(.floor(table))])
    try expect(try foreign.foreign(), is: ForeignObjects(), "with ours")

    let wan = try Sample.device("wan0")
    try addDevice(wan, address: Sample.interfaceAddress("192.0.2.2/24"))
    try addForeign(rule)
    try addForeign(TableRoute(table: table, metric: RouteMetric(5), way: .out(device: wan, gateway: nil)))
    let mark = ForeignMark(table: "inet others", chain: "pre", bits: 0x0010_0001, isConnections: false)
    try addForeign(mark)
    let told = try foreign.foreign()
    let foreignRule = ForeignRule(
      priority: rule.priority, mask: ranges.markMask.bits, mark: 0x1200_0000, table: table)
    try expect(told.rules, is: [foreignRule], "rules")
    try expect(
      told.routes, is: [ForeignRoute(table: table, destination: .all, origin: RouteProtocol(77))], "routes")
    try expect(told.marks, is: [mark], "marks")
    // Flowtables in use are reported too; few kernels that tests run on have them, so a scenario checks that.
    try expect(told.flowtables, is: [], "flowtables")
  }
}
