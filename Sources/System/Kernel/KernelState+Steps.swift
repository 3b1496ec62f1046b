internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

extension KernelState {
  mutating func apply(_ step: Step) throws(NetlinkFailure) {
    switch step {
    case .createTunnel(let device): try create(device)
    case .changeTunnel(let device):
      try own(device.name)
      try change(device)
    case .deleteDevice(let name): try deleteDevice(name)
    case .setMTU(let name, let mtu):
      try own(name)
      try routing.setMTU(name.text, UInt32(clamping: mtu))
    case .setUp(let name):
      try own(name)
      try routing.setUp(name.text)
    case .addAddress(let name, let address, let peer): try add(address, peer: peer, to: name)
    case .removeAddress(let name, let address): try remove(address, from: name)
    case .putRoute(let route): try put(route)
    case .deleteRoute(let route): try delete(route)
    case .addRule(let rule): try add(rule)
    case .deleteRule(let rule): try delete(rule)
    case .replaceNftTable(let table): try nftTable.replace(table, &netfilter)
    case .changeNftTable(let change): try nftTable.change(change, &netfilter)
    case .changeSets(let table, let changes): try nftTable.change(table: table, changes, &netfilter)
    case .renewSets(let table, let renewal): try nftTable.renew(table: table, renewal, &netfilter)
    case .deleteNftTable(let table): try nftTable.delete(table, &netfilter)
    case .putFastTable(let table): nftTable.skip(try fastTable.put(table, &netfilter))
    case .deleteFastTable(let table): nftTable.skip(try fastTable.delete(table, &netfilter))
    case .moveMarks(let migration): try move(migration)
    case .changeSettings, .restoreSettings: break  // files, not netlink
    }
  }

  // MARK: Devices

  /// The device, which must be there and ours.
  @discardableResult
  private mutating func own(_ name: InterfaceName) throws(NetlinkFailure) -> LinkMessage {
    guard let link = try routing.link(named: name.text) else {
      throw NetlinkFailure(operation: "device \(name)", errno: ENODEV, kernelText: "there is no device \(name)")
    }
    guard translation.isOurs(link) else { throw NetlinkFailure.foreign("device \(name)") }
    return link
  }

  private mutating func create(_ device: TunnelDevice) throws(NetlinkFailure) {
    if let present = try routing.link(named: device.name.text) {
      guard translation.isOurs(present) else { throw NetlinkFailure.foreign("device \(device.name)") }
      return try change(device)
    }
    try routing.createTunnel(
      device.name.text, try translation.message(device), mtu: UInt32(clamping: device.mtu), alias: device.alias)
  }

  private mutating func change(_ device: TunnelDevice) throws(NetlinkFailure) {
    try routing.changeTunnel(
      device.name.text, try translation.message(device), mtu: UInt32(clamping: device.mtu), alias: device.alias)
  }

  private mutating func deleteDevice(_ name: InterfaceName) throws(NetlinkFailure) {
    guard let link = try routing.link(named: name.text) else { return }
    guard translation.isOurs(link) else { throw NetlinkFailure.foreign("device \(name)") }
    do throws(NetlinkFailure) { try routing.deleteLink(name.text) } catch { if !error.isMissing { throw error } }
  }

  // MARK: Addresses

  private mutating func add(
    _ address: InterfaceAddress, peer: IPv4Address?, to name: InterfaceName
  ) throws(NetlinkFailure) {
    let link = try own(name)
    let message = AddressMessage(
      index: link.index, local: address.address.value, peer: (peer ?? address.address).value, length: address.length)
    do throws(NetlinkFailure) { try routing.add(message) } catch { if !error.isAlreadyPresent { throw error } }
  }

  private mutating func remove(_ address: InterfaceAddress, from name: InterfaceName) throws(NetlinkFailure) {
    guard let link = try routing.link(named: name.text) else { return }
    guard translation.isOurs(link) else { throw NetlinkFailure.foreign("device \(name)") }
    // The peer is part of what names an address to the kernel.
    let present = try routing.addresses().filter {
      $0.index == link.index && $0.local == address.address.value && $0.length == address.length
    }
    for message in present {
      do throws(NetlinkFailure) { try routing.delete(message) } catch { if !error.isMissing { throw error } }
    }
  }

  // MARK: Routes

  private mutating func put(_ route: TableRoute) throws(NetlinkFailure) {
    let message = try translation.message(route)
    // A replacement replaces whatever has the same key, whoever made it.
    let foreign = try routing.routes(table: route.table.value).contains {
      $0.origin != message.origin && $0.destination == message.destination && $0.length == message.length
        && $0.metric == message.metric && $0.tos == 0
    }
    if foreign { throw NetlinkFailure.foreign("the route that has this table, destination and metric") }
    try Self.put(message, followingOthersOver: &routing)
  }

  /// The request names the route's protocol, so that another program's route does not match.
  private mutating func delete(_ route: TableRoute) throws(NetlinkFailure) {
    do throws(NetlinkFailure) { try routing.delete(try translation.message(route)) } catch {
      // A device that is gone took the route along.
      guard error.isMissing else { throw error }
    }
  }
}
