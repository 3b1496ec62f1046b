internal import RuleSets
import Testing

@testable import Core

/// Plans for XFRM interfaces, which the kernel hardly changes in place.
@Suite struct XFRMPlanTests {
  private func device(_ name: InterfaceName, _ number: UInt32, by underlay: InterfaceName = "wan0") -> TunnelDevice {
    TunnelDevice(
      name: name, encapsulation: .xfrm(interfaceID: number), local: "192.0.2.2", remote: "203.0.113.2",
      underlay: underlay, lookupMark: Mark(value: 0x40_0000), mtu: 1438, address: nil, peer: nil,
      alias: "backhaul tunnel \(name)")
  }

  private func desired(_ devices: [TunnelDevice]) -> DesiredState {
    let table = TableID(7902)
    let routes = devices.prefix(1).map {
      TableRoute(table: table, metric: .active, way: .out(device: $0.name, gateway: nil))
    }
    return DesiredState(tunnels: devices, routes: [.floor(table)] + routes)
  }

  private func plan(_ devices: [TunnelDevice], _ model: ModelKernel) -> Plan {
    Planner.plan(desired: desired(devices), actual: model.state)
  }

  private func running(_ devices: [TunnelDevice]) throws -> ModelKernel {
    var model = ModelKernel(Branch.kernel())
    try model.apply(plan(devices, model).steps)
    #expect(plan(devices, model).isEmpty)
    return model
  }

  private let remade = [
    "ip link delete bh-fra",
    "ip link add bh-fra mtu 1438 type xfrm dev wan0 if_id 0x20",
    "ip link set bh-fra alias 'backhaul tunnel bh-fra'",
    "ip link set bh-fra up",
    "ip route replace default dev bh-fra table 7902 metric 10 proto 201",
  ]

  @Test func fromNothing() {
    #expect(
      PlanText().lines(plan([device("bh-fra", 0x20)], ModelKernel(Branch.kernel()))) == [
        remade[1], remade[2], "ip route replace unreachable default table 7902 metric 4294967295 proto 201", remade[3],
        remade[4],
      ])
  }

  @Test func anotherNumberIsAnotherDevice() throws {
    var model = try running([device("bh-fra", 0x1f)])
    let steps = plan([device("bh-fra", 0x20)], model)
    #expect(PlanText().lines(steps) == remade)
    try model.apply(steps.steps)
    #expect(plan([device("bh-fra", 0x20)], model).isEmpty)
  }

  @Test func anUnderlayThatCameBackIsAnother() throws {
    var model = try running([device("bh-fra", 0x20)])
    let wan = model.state.links["wan0"]
    model.delete("wan0")
    #expect(model.state.links["bh-fra"]?.tunnel?.underlay == nil)
    model.state.links["wan0"] = wan
    #expect(PlanText().lines(plan([device("bh-fra", 0x20)], model)) == remade)
  }

  @Test func endsAndMarkAreNotTheInterfaces() throws {
    let model = try running([device("bh-fra", 0x20)])
    var moved = device("bh-fra", 0x20)
    (moved.local, moved.remote, moved.lookupMark) = ("192.0.2.77", "203.0.113.77", Mark(value: 0x50_0000))
    #expect(plan([moved], model).isEmpty, "they are the security associations'")
  }

  @Test func sizeAndAliasChangeInPlace() throws {
    let model = try running([device("bh-fra", 0x20)])
    var other = device("bh-fra", 0x20)
    other.mtu = 1400
    #expect(PlanText().lines(plan([other], model)) == ["ip link set bh-fra mtu 1400"])
    other.alias += "-2"
    #expect(
      PlanText().lines(plan([other], model)) == [
        "ip link change bh-fra type xfrm dev wan0 if_id 0x20", "ip link set bh-fra alias 'backhaul tunnel bh-fra-2'",
        "ip link set bh-fra mtu 1400",
      ])
  }

  @Test func aNumberThatAnotherHasIsFreedFirst() throws {
    var model = try running([device("bh-fra", 0x20, by: "wan1")])
    let steps = plan([device("bh-ams", 0x20)], model)
    #expect(steps.steps.first == .deleteDevice("bh-fra"), "whatever its underlay")
    try model.apply(steps.steps)
    #expect(plan([device("bh-ams", 0x20)], model).isEmpty)
  }

  @Test func numbersThatSwap() throws {
    var model = try running([device("bh-fra", 1), device("bh-ams", 2)])
    let swapped = [device("bh-fra", 2), device("bh-ams", 1)]
    try model.apply(plan(swapped, model).steps)
    #expect(plan(swapped, model).isEmpty)
  }

  @Test func anotherKindIsAnotherDevice() throws {
    let gre = TunnelDevice(
      name: "bh-fra", encapsulation: .gre(key: 7), local: "192.0.2.2", remote: "203.0.113.2", underlay: "wan0",
      lookupMark: Mark(value: 0x40_0000), mtu: 1438, address: nil, peer: nil, alias: "backhaul tunnel bh-fra")
    let model = try running([gre])
    #expect(PlanText().lines(plan([device("bh-fra", 0x20)], model)) == remade)
  }
}
