import Agent
import Core
import Glibc
internal import RuleSets

extension KernelGround {
  /// A number that both a lookup mark of ours and an XFRM interface may have. Not a byte palindrome, so that a wrong
  /// byte order shows.
  var number: UInt32 { 0x0500_0000 }
  private var otherNumber: UInt32 { 0x0300_0000 }

  private func addSecondUplink() throws -> InterfaceName {
    let name = try Sample.device("wan1")
    try addDevice(name, address: nil)
    return name
  }

  func xfrmReadBack() throws {
    var second = try tunnel("ams", .xfrm(interfaceID: 1))
    second.underlay = try addSecondUplink()
    second.mtu = 65_535
    let devices = [try tunnel("fra", .xfrm(interfaceID: number)), second]
    for device in devices { try apply([.createTunnel(device), .createTunnel(device)]) }
    for device in devices { try expect(device) }
    for mtu in [67, 65_536] { try expect(.setMTU(second.name, mtu), failsWith: EINVAL) }
    for device in devices { try kernel.apply(.deleteDevice(device.name)) }
    try expect(try read().links.values.filter(\.isOurs).count, is: 0, "interfaces left")
  }

  func xfrmRoute() throws {
    let device = try tunnel("fra", .xfrm(interfaceID: number))
    let table = TableID(ranges.tables.lowerBound + 3)
    let route = TableRoute(table: table, metric: .active, way: .out(device: device.name, gateway: nil))
    try apply([.createTunnel(device)])
    try expect(.putRoute(route), failsWith: ENETDOWN)
    try apply([.setUp(device.name)])
    let link = try read().links[device.name]
    try expect(link?.isUp == true && link?.hasCarrier == true, "\(link as Any) is not up")
    try flip.activate(route)
    try expect(try read().routes, is: [route], "routes")
    try apply([.deleteDevice(device.name)])
    try expect(try read().routes, is: [], "routes")
  }

  func xfrmNumberTaken() throws {
    let first = try tunnel("fra", .xfrm(interfaceID: number))
    try apply([.createTunnel(first)])
    var same = first
    same.name = try Sample.device("bh-same")
    try expect(.createTunnel(same), failsWith: EEXIST)
    same.underlay = try addSecondUplink()
    try expect(.createTunnel(same), failsWith: EEXIST)
    same.encapsulation = .xfrm(interfaceID: 0)
    try expect(.createTunnel(same), failsWith: EINVAL)
    try expect(try read().links[same.name] == nil, "the refused interface is there")
    same.encapsulation = .xfrm(interfaceID: otherNumber)
    try apply([.createTunnel(same)])
    try expect(same)
  }

  func xfrmUnderlayKept() throws {
    var device = try tunnel("fra", .xfrm(interfaceID: number))
    let other = try tunnel("ams", .xfrm(interfaceID: 1))
    try apply([.createTunnel(device), .createTunnel(other), .setUp(device.name)])
    device.alias += "-renamed"
    try apply([.changeTunnel(device)])
    try expect(device)
    var changed = device
    changed.underlay = try addSecondUplink()
    try expect(.changeTunnel(changed), failsWith: EINVAL)
    try expect(.createTunnel(changed), failsWith: EINVAL)
    changed = device
    changed.encapsulation = other.encapsulation
    try expect(.changeTunnel(changed), failsWith: EEXIST)
    changed.encapsulation = .ipip
    try expect(.changeTunnel(changed), failsWith: EOPNOTSUPP)
    try expect(device)
  }

  func xfrmMadeAnew() throws {
    var device = try tunnel("fra", .xfrm(interfaceID: number))
    device.address = try Sample.interfaceAddress("10.9.9.1/32")
    let table = TableID(ranges.tables.lowerBound + 3)
    let route = TableRoute(table: table, metric: .active, way: .out(device: device.name, gateway: nil))
    try converge(on: device, [.floor(table), route])
    // It stays, up and with its routes, and refers to an index that no longer exists.
    try removeDevice(device.underlay)
    try addDevice(device.underlay, address: try Sample.interfaceAddress("192.0.2.2/24"))
    try expect(try read().links[device.name]?.tunnel?.underlay, is: nil, "underlay")
    try converge(on: device, [.floor(table), route])
    device.encapsulation = .xfrm(interfaceID: otherNumber)
    try converge(on: device, [.floor(table), route])
    device.underlay = try addSecondUplink()
    try converge(on: device, [.floor(table), route])
    // Another one has the number until now.
    var heir = device
    heir.name = try Sample.device("bh-heir")
    try converge(on: heir, [.floor(table)])
  }

  private func converge(on device: TunnelDevice, _ routes: [TableRoute]) throws {
    let desired = DesiredState(tunnels: [device], routes: routes)
    let steps = Planner.plan(desired: desired, actual: try read()).steps
    try expect(steps.contains(.createTunnel(device)), "nothing is made: \(steps)")
    try apply(steps)
    let actual = try read()
    try expect(Planner.plan(desired: desired, actual: actual).steps, is: [], "left to do")
    try expect(actual.routes, is: Set(routes), "routes")
    try expect(actual.addresses[device.name] ?? [], is: [device.address].compactMap(\.self), "addresses")
    try expect(device)
  }
}
