package import RuleSets

/// A sysctl of one interface. Only per-interface sysctls are ever set, apart from those that exist only once for all
/// interfaces. Their old values are remembered and put back.
package struct InterfaceSetting: Hashable, Sendable {
  /// A sysctl that the agent sets. The raw value is its path below /proc/sys; `IF` stands for the interface.
  package enum Key: String, CaseIterable, Hashable, Sendable {
    /// net.ipv4.conf.IF.rp_filter: 0 off, 1 strict, 2 loose. The kernel uses the larger of this and `all`.
    case reversePathFilter = "net/ipv4/conf/IF/rp_filter"
    /// net.ipv4.conf.IF.src_valid_mark: 1: the reverse-path check asks with the packet's mark, so by the path's own table.
    /// The kernel uses this or `all`.
    case sourceValidMark = "net/ipv4/conf/IF/src_valid_mark"
    /// net.ipv4.conf.IF.forwarding
    case forwarding = "net/ipv4/conf/IF/forwarding"
    /// net.ipv4.conf.IF.disable_xfrm: 1: nothing that leaves by it is encrypted. The kernel uses this or `all`.
    case disableXFRM = "net/ipv4/conf/IF/disable_xfrm"
    /// net.ipv4.conf.IF.disable_policy: 1: what comes in by it is held to no IPsec policy. The kernel uses this or `all`.
    case disablePolicy = "net/ipv4/conf/IF/disable_policy"
    /// net.ipv4.fib_multipath_hash_policy, of the interface `all` alone: 1: connections of the same two hosts are shared
    /// out each by itself; 0: all of them go one way.
    case multipathHash = "net/ipv4/fib_multipath_hash_policy"
    /// net.ipv4.icmp_errors_use_inbound_ifaddr, of the interface `all` alone: 1: an ICMP error has the address of the
    /// device that brought what it is about; 0: that of the device that main would send it by.
    case errorSource = "net/ipv4/icmp_errors_use_inbound_ifaddr"
    /// net.ipv6.conf.IF.disable_ipv6
    case disableIPv6 = "net/ipv6/conf/IF/disable_ipv6"

    /// There is one for all interfaces together and none for each.
    package var isOfAllAlone: Bool { !rawValue.containsText("/IF/") }
  }

  /// The name under which the kernel keeps what holds for every interface.
  package static var all: InterfaceName? { InterfaceName("all") }

  package var interface: InterfaceName
  package var key: Key

  package init(_ interface: InterfaceName, _ key: Key) {
    self.interface = interface
    self.key = key
  }
}
