internal import Fakes
internal import RuleSets
@testable import Core

/// A kernel as a value: it takes steps as Linux does, and refuses what Linux refuses.
struct ModelKernel {
  struct Refusal: Error, CustomStringConvertible {
    var step: Step
    var cause: String
    var description: String { "\(PlanText().lines(step).joined(separator: "\n")): \(cause)" }
  }

  var state: ActualState
  var remembered: [InterfaceSetting: Int] = [:]
  /// Marks of connections.
  var connections: [UInt32] = []

  init(_ state: ActualState) { self.state = state }

  mutating func apply(_ steps: some Sequence<Step>) throws(Refusal) {
    for step in steps { try apply(step) }
  }

  mutating func apply(_ step: Step) throws(Refusal) {
    if let cause = refusal(of: step) { throw Refusal(step: step, cause: cause) }
    switch step {
    case .createTunnel(let device):
      let index = InterfaceIndex(UInt32(100 + state.links.count))
      state.links[device.name] = Link(
        index: index, isUp: false, hasCarrier: false, mtu: device.mtu,
        isPointToPoint: true, alias: device.alias, tunnel: Self.parameters(device), isOurs: true)
      for key in InterfaceSetting.Key.allCases where !key.isOfAllAlone {
        state.settings[InterfaceSetting(device.name, key)] = key == .reversePathFilter ? 1 : 0
      }
    case .changeTunnel(let device):
      let old = state.links[device.name]?.tunnel
      let new = Self.parameters(device)
      state.links[device.name]?.tunnel = new
      state.links[device.name]?.alias = device.alias
      if old?.underlay != new.underlay || old?.lookupMark != new.lookupMark {
        state.links[device.name]?.mtu = 1234
      }
    case .deleteDevice(let name): delete(name)
    case .setMTU(let name, let mtu): state.links[name]?.mtu = mtu
    case .addAddress(let name, let address, _):
      if state.addresses[name]?.contains(address) != true { state.addresses[name, default: []].append(address) }
    case .removeAddress(let name, let address): remove(address, from: name)
    case .setUp(let name):
      state.links[name]?.isUp = true
      state.links[name]?.hasCarrier = true
    case .changeSettings(let values):
      for (setting, value) in values {
        if state.links[setting.interface]?.isOurs != true, remembered[setting] == nil {
          remembered[setting] = state.settings[setting]
        }
        state.settings[setting] = value
      }
    case .restoreSettings(let settings):
      for setting in settings { state.settings[setting] = remembered.removeValue(forKey: setting) }
    case .putRoute(let route):
      state.routes = state.routes.filter {
        ($0.table, $0.destination, $0.metric) != (route.table, route.destination, route.metric)
      }
      state.routes.insert(route)
    case .deleteRoute(let route): state.routes.remove(route)
    case .addRule(let rule): if !state.rules.contains(rule) { state.rules.append(rule) }
    case .deleteRule(let rule):
      if let index = state.rules.firstIndex(of: rule) { state.rules.remove(at: index) }
    case .replaceNftTable(let table): state.nftTable = FakeNftTable(adopting: table).table
    case .changeNftTable(let change):
      if case .success(let table) = changed(by: change) { state.nftTable = table }
    case .changeSets(_, let changes): for change in changes { apply(change) }
    case .renewSets(_, let renewal):
      for set in renewal.sets {
        guard let index = state.nftTable?.sets.firstIndex(where: { $0.name == set.name }) else { continue }
        state.nftTable?.sets[index].ranges = set.ranges
      }
      for change in renewal.changes { apply(change) }
    case .deleteNftTable: state.nftTable = nil
    case .putFastTable(let table): state.fastTable = table
    case .deleteFastTable: state.fastTable = nil
    case .moveMarks(let migration):
      connections = connections.map { mark in
        migration.moves.first { $0.from.value == mark & migration.mask.bits }
          .map { mark & ~migration.mask.bits | $0.to.value } ?? mark
      }
    }
  }

  /// A link goes down: the kernel drops the routes by it without an event.
  mutating func setDown(_ name: InterfaceName) {
    state.links[name]?.isUp = false
    state.links[name]?.hasCarrier = false
    dropRoutes(by: name)
    state.mainDefaults.removeAll { $0.device == name }
  }

  mutating func delete(_ name: InterfaceName) {
    state.links[name] = nil
    for other in state.links.keys where state.links[other]?.tunnel?.underlay == name {
      state.links[other]?.tunnel?.underlay = nil
    }
    state.addresses[name] = nil
    state.settings = state.settings.filter { $0.key.interface != name }
    state.mainDefaults.removeAll { $0.device == name }
    dropRoutes(by: name)
  }

  private mutating func remove(_ address: InterfaceAddress, from name: InterfaceName) {
    var all = state.addresses[name] ?? []
    guard let index = all.firstIndex(of: address) else { return }
    all.remove(at: index)
    // Without promote_secondaries the later addresses of the subnet go with their primary.
    all = all.enumerated().filter { $0.offset < index || $0.element.subnet != address.subnet }.map(\.element)
    state.addresses[name] = all
    if all.isEmpty { dropRoutes(by: name) }
  }

  private mutating func dropRoutes(by name: InterfaceName) {
    state.routes = state.routes.filter { route in
      if case .out(let device, _, _) = route.way { device != name } else { true }
    }
  }

  private mutating func apply(_ change: SetChange) {
    guard let index = state.nftTable?.sets.firstIndex(where: { $0.name == change.set }) else { return }
    let kept = state.nftTable?.sets[index].ranges.filter { !change.remove.contains($0) } ?? []
    state.nftTable?.sets[index].ranges = (kept + change.add).sorted { $0.lowerBound < $1.lowerBound }
  }

  private static func parameters(_ device: TunnelDevice) -> TunnelParameters {
    if case .xfrm(let number) = device.encapsulation {
      return TunnelParameters(xfrm: number, underlay: device.underlay)
    }
    return TunnelParameters(
      encapsulation: device.encapsulation, local: device.local, remote: device.remote, underlay: device.underlay,
      lookupMark: device.lookupMark, ttl: TunnelDevice.ttl)
  }

  private func refusal(of step: Step) -> String? {
    switch step {
    case .createTunnel(let device):
      if state.links[device.name] != nil { return "File exists" }
      return clash(device)
    case .changeTunnel(let device):
      guard let link = state.links[device.name] else { return "Cannot find device" }
      guard link.isOurs else { return "foreign" }
      switch (link.tunnel?.encapsulation, device.encapsulation) {
      case (.gre, .gre), (.ipip, .ipip): return clash(device)
      case (.xfrm, .xfrm): return link.tunnel?.underlay == device.underlay ? clash(device) : "Invalid argument"
      default: return "Operation not supported"
      }
    case .deleteDevice(let name): return state.links[name].map { $0.isOurs ? nil : "foreign" } ?? "Cannot find device"
    case .setMTU(let name, _), .addAddress(let name, _, _), .removeAddress(let name, _), .setUp(let name):
      return state.links[name].map { $0.isOurs ? nil : "foreign" } ?? "Cannot find device"
    case .changeSettings(let values):
      return values.keys.contains { isMissing($0) } ? "No such file or directory" : nil
    case .restoreSettings(let settings):
      return settings.contains { isMissing($0) } ? "No such file or directory" : nil
    case .putRoute(let route):
      guard case .out(let device, _, _) = route.way else { return nil }
      guard let link = state.links[device] else { return "Cannot find device" }
      return link.isUp ? nil : "Network is down"
    case .replaceNftTable(let table): return danglingReference(in: table)
    case .changeNftTable(let change):
      switch changed(by: change) {
      case .success(let table): return danglingReference(in: table)
      case .failure(let refusal): return refusal.cause
      }
    case .changeSets(_, let changes):
      return changes.contains { change in
        guard let set = state.nftTable?.sets.first(where: { $0.name == change.set }) else { return true }
        return !change.remove.allSatisfy(set.ranges.contains)
      } ? "No such file or directory" : nil
    case .renewSets(_, let renewal):
      let names = Set((state.nftTable?.sets ?? []).map(\.name))
      return renewal.names.allSatisfy(names.contains) ? nil : "No such file or directory"
    case .deleteRoute, .addRule, .deleteRule, .deleteNftTable, .deleteFastTable, .moveMarks: return nil
    case .putFastTable(let table):
      if table.flowtables.contains(where: { !$0.devices.allSatisfy { state.links[$0] != nil } }) {
        return "No such file or directory"
      }
      return danglingReference(in: table)
    }
  }

  private func changed(by change: NftChange) -> Result<NftTable, FakeRefusal> {
    guard let present = state.nftTable else { return .failure(FakeRefusal(2, "there is no table")) }
    var nft = FakeNftTable(adopting: present)
    do throws(FakeRefusal) { try nft.change(change) } catch { return .failure(error) }
    return .success(nft.table)
  }

  private func isMissing(_ setting: InterfaceSetting) -> Bool {
    setting.interface != InterfaceSetting.all && state.links[setting.interface] == nil
  }

  private func clash(_ device: TunnelDevice) -> String? {
    guard state.links[device.underlay] != nil else { return "No such device" }
    let taken = state.links.contains { name, link in
      guard name != device.name, let other = link.tunnel, other.encapsulation == device.encapsulation
      else { return false }
      if case .xfrm = other.encapsulation { return true }
      return other.local == device.local && other.remote == device.remote && other.underlay == device.underlay
    }
    return taken ? "File exists" : nil
  }

  private func danglingReference(in table: NftTable) -> String? {
    let sets = Set(table.sets.map(\.name))
    let maps = Dictionary(uniqueKeysWithValues: table.maps.map { ($0.name, $0.kind) })
    let chains = Set(table.chains.map(\.name))
    if chains.count < table.chains.count { return "a chain twice" }
    for rule in table.chains.flatMap(\.rules) {
      if rule.comment.utf8.count > 127 { return "comment too long: \(rule.comment)" }
      var isIPv4 = false
      for match in rule.matches {
        switch match {
        case .ipv4: isIPv4 = true
        case .sourceIn(let set), .destinationIn(let set), .destinationNotIn(let set):
          if !isIPv4 || !sets.contains(set) { return "no such set: \(set)" }
        case .sourceWithin, .sourceIs, .destinationIs, .protocolIs, .icmpType:
          if !isIPv4 { return "unknown family in \(rule.text)" }
        default: break
        }
      }
      for chain in rule.actions.compactMap(\.chain) where !chains.contains(chain) { return "no such chain: \(chain)" }
      for case .choose(let subject, let map) in rule.actions where !(maps[map].map(subject.isKey) ?? false) {
        return "no such map: \(map)"
      }
    }
    for chain in table.chains where chain.name.utf8.count > 31 { return "too long a name: \(chain.name)" }
    for element in table.maps.flatMap(\.elements) where !chains.contains(element.verdict.chain) {
      return "no such chain: \(element.verdict.chain)"
    }
    for map in table.maps where Set(map.elements.map(\.key)).count < map.elements.count {
      return "a key twice in \(map.name)"
    }
    for set in table.sets where set.ranges != AddressRanges.normalised(set.ranges) || set.ranges.isEmpty != set.isFed {
      return "overlapping elements in \(set.name)"
    }
    return nil
  }
}

extension AddressRanges {
  fileprivate static func normalised(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    ranges.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { result, range in
      if let last = result.last, last.upperBound == .max || range.lowerBound <= last.upperBound + 1 { return }
      result.append(range)
    }
  }
}
