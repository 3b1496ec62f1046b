internal import Core
internal import Netlink

// Where routes lead, in Core's words and in rtnetlink's.

extension Gateway {
  /// Nil where it is of a family that nobody knows.
  init?(_ gateway: RouteMessage.Gateway) {
    switch gateway {
    case .ipv4(let address): self = .ipv4(IPv4Address(value: address))
    case .ipv6(let high, let low): self = .ipv6(IPv6Address(high: high, low: low))
    case .other: return nil
    }
  }

  var message: RouteMessage.Gateway {
    switch self {
    case .ipv4(let address): .ipv4(address.value)
    case .ipv6(let address): .ipv6(high: address.high, low: address.low)
    }
  }
}

extension RouteMessage.NextHop {
  /// Why nothing can be sent this way by us, in a few words; nil where it can.
  var oddity: String? {
    // enum lwtunnel_encap_types
    let names: [UInt16: String] = [
      1: "mpls", 2: "ip", 3: "ila", 4: "ip6", 5: "seg6", 6: "bpf", 7: "seg6local", 8: "rpl",
    ]
    if encapsulation != 0 { return "encap \(names[encapsulation] ?? "\(encapsulation)")" }
    if case .other(let family)? = gateway { return "via an address of family \(family)" }
    return nil
  }

  func share(_ names: [UInt32: InterfaceName]) -> TableRoute.Share? {
    guard oddity == nil, let device = names[index] else { return nil }
    return TableRoute.Share(device: device, gateway: gateway.flatMap { Gateway($0) }, weight: weight)
  }
}

extension RouteMessage {
  var terms: RouteTerms {
    RouteTerms(source: source.map { IPv4Address(value: $0) }, mtu: mtu.map { Int($0) })
  }

  /// Nil where it is of a kind, or leads by something, that we do not know.
  func way(_ names: [UInt32: InterfaceName]) -> TableRoute.Way? {
    switch kind {
    case .unreachable: return .unreachable
    case .other: return nil
    case .unicast:
      let shares = hops.compactMap { $0.share(names) }
      guard shares.count == hops.count, let first = shares.first else { return nil }
      return shares.count == 1
        ? .out(device: first.device, gateway: first.gateway, terms: terms) : .shared(shares)
    }
  }
}
