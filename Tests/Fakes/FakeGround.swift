package import Agent
package import Core
package import RuleSets
import Synchronization

/// The fake, for the contract.
package struct FakeGround: KernelGround {
  package let ranges = KernelRanges()
  let fake: FakeKernel

  package init() { fake = FakeKernel(ranges) }

  package var kernel: any KernelPort { fake }
  package var flip: any FlipPort { fake }
  package var traffic: any TrafficPort { fake }
  package var lookup: any LookupPort { fake }
  package var foreign: any ForeignPort { fake }
  package var sight: any SightPort { fake }

  package func addDevice(_ name: InterfaceName, address: InterfaceAddress?) throws {
    try fake.change("ip link add \(name)") { $0.addLink(name, address: address) }
  }

  package func addMainDefault(_ device: InterfaceName, onLink gateway: IPv4Address) throws {
    try fake.change("ip route add default via \(gateway) dev \(device) onlink") {
      $0.setMainDefaults([MainDefault(device: device, gateway: .ipv4(gateway), metric: RouteMetric(0))])
    }
  }

  package func learnPathMTU(
    _ mtu: Int, to destination: IPv4Address, by device: InterfaceName, from router: IPv4Address
  ) throws {
    try fake.change("ping -M do \(destination)") { $0.learnPathMTU(mtu, to: destination, by: device) }
  }

  package func setDown(_ name: InterfaceName) throws {
    try fake.change("ip link set \(name) down") { $0.setLink(name, isUp: false) }
  }

  package func removeDevice(_ name: InterfaceName) throws {
    try fake.change("ip link delete \(name)") { $0.removeLink(name) }
  }

  package func addForeign(_ route: TableRoute) throws { try fake.change("ip route add") { $0.addForeign(route) } }
  package func addForeign(_ rule: RoutingRule) throws { try fake.change("ip rule add") { $0.addForeign(rule) } }

  package func addForeign(_ filter: PacketFilter) throws {
    try fake.change("nft add chain \(filter.table) \(filter.chain)") { $0.filters.filters.append(filter) }
  }

  package func addForeign(_ mark: ForeignMark) throws {
    try fake.change("nft add rule \(mark.table) \(mark.chain)") { $0.foreign.marks.append(mark) }
  }

  package func feed(_ set: String, _ address: IPv4Address) throws {
    try fake.change("nft add element") { $0.nft?.fed[set, default: []].append(address.value...address.value) }
  }

  package var fedSets: any FedSetPort { fake }

  package func sendToItself(_ packets: Int) throws {
    try fake.change("ping") {
      $0.nft?.pass(UInt64(packets), at: .output)
      $0.nft?.pass(UInt64(packets), at: .input)
    }
  }

  package func counted(by counter: String) throws -> UInt64 {
    fake.state.withLock { $0.nft?.shared[counter] ?? 0 }
  }

  package func foreignRoutes(_ table: TableID) throws -> Int {
    fake.state.withLock { $0.routes.filter { !$0.isOurs && $0.route.table == table }.count }
  }

  package func rules(at priority: RulePriority) throws -> Int {
    fake.state.withLock { $0.rules.filter { $0.rule.priority == priority }.count }
  }
}
