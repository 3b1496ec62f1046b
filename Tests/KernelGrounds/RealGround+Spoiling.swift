package import Core
package import Fakes
package import RuleSets

extension RealGround {
  package func spoil(_ spoiling: Spoiling, table: TableID) throws {
    let nft = ranges.nftTable
    let origin = ranges.routeProtocol
    let route = "default dev wan0 table \(table) metric 20 proto \(origin)"
    func remade(_ hook: String) -> String {
      "nft 'delete chain inet \(nft) arrive; add chain inet \(nft) arrive \(hook)'"
    }
    switch spoiling {
    case .tableIsDormant: try shell("nft 'add table inet \(nft) { flags dormant; }'")
    case .chainDropsByDefault: try shell("nft 'add chain inet \(nft) pass { policy drop; }'")
    case .chainHasAnotherPriority: try shell(remade("{ type filter hook input priority 10; }"))
    case .chainHasAnotherHook: try shell(remade("{ type filter hook forward priority -150; }"))
    case .chainIsHookedNowhere: try shell(remade(""))
    case .floorLetsThrough:
      try shell("ip route replace throw default table \(table) metric \(RouteMetric.floor) proto \(origin)")
    case .routeIsABlackhole:
      try shell("ip route replace blackhole default table \(table) metric 20 proto \(origin)")
    case .routeHasAnMTU: try shell("ip route replace \(route) mtu 600")
    case .routeHasASource: try shell("ip route replace \(route) src 192.0.2.2")
    case .routeHasAWindow: try shell("ip route replace \(route) window 600")
    case .routeOfOneServiceBesideOurs:
      try shell("ip route add default tos 0x10 dev wan0 table \(table) metric 20 proto \(origin)")
    case .betterRouteBesideOurs:
      try shell("ip route add blackhole default table \(table) metric 5 proto \(origin)")
    case .narrowRuleBesideOurs:
      try shell(
        "ip rule add priority \(spoilPriority) fwmark 0x12000000/\(ranges.markMask) ipproto udp lookup 52 protocol \(origin)"
      )
    case .blackholeRuleBesideOurs:
      try shell("ip rule add priority \(spoilPriority) blackhole protocol \(origin)")
    case .narrowRuleOfIPv6BesideOurs:
      try shell("ip -6 rule add priority \(spoilPriority) ipproto udp prohibit protocol \(origin)")
    }
  }

  package func spoil(_ spoiling: TunnelSpoiling, of device: TunnelDevice) throws {
    let name = device.name
    // ip(8) leaves unchanged what it is not told to change.
    let kind = if case .gre = device.encapsulation { "gre" } else { "ipip" }
    switch spoiling {
    case .isDown: try shell("ip link set \(name) down")
    case .hasAnotherMTU: try shell("ip link set \(name) mtu 1300")
    case .hasLostItsAlias: try shell("ip link set \(name) alias ''")
    case .hasAnotherAlias: try setAlias(name, "the other office")
    case .hasAnotherName: try shell("ip link set \(name) down; ip link set \(name) name renamed0")
    case .hasAnotherTTL: try shell("ip link change \(name) type \(kind) ttl 7")
    case .hasATypeOfService: try shell("ip link change \(name) type \(kind) tos 0x10")
    case .findsNoPathMTU: try shell("ip link change \(name) type \(kind) ttl 0 nopmtudisc")
    case .hasNoLookupMark: try shell("ip link change \(name) type \(kind) fwmark 0")
    case .isEnslaved:
      try shell("ip link add vrf-other type vrf table 99 2>/dev/null || :; ip link set \(name) master vrf-other")
    }
  }

  package func addForeignTunnel(_ name: InterfaceName, alias: String) throws {
    try shell("ip link add \(name) type gre local 192.0.2.2 remote 203.0.113.9")
    try setAlias(name, alias)
  }

  package func setAlias(_ name: InterfaceName, _ alias: String) throws {
    try shell("ip link set \(name) alias '\(alias)'")
  }
}
