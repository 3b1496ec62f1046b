package import RuleSets

/// The next router on the way of an IPv4 route. The kernel finds an IPv6 one by neighbour discovery, and still sends
/// IPv4 packets to it (RTA_VIA, RFC 9229).
package enum Gateway: Hashable, Sendable, CustomStringConvertible {
  case ipv4(IPv4Address)
  case ipv6(IPv6Address)

  /// As ip(8) writes it after `via`: `192.0.2.1`, `inet6 fe80::1`.
  package var description: String {
    switch self {
    case .ipv4(let address): address.description
    case .ipv6(let address): "inet6 \(address)"
    }
  }

  /// Nil if it is an IPv6 one.
  package var ipv4: IPv4Address? { if case .ipv4(let address) = self { address } else { nil } }
}
