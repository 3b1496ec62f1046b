internal import Core
internal import Netlink
internal import RuleSets

// Where routes lead, in Core's words and in rtnetlink's.

extension Gateway {
  /// Nil if its family is unknown.
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
  /// Why we cannot send anything this way, in a few words; nil if we can.
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

  /// Nil if its device is gone by now.
  func way(_ names: [UInt32: InterfaceName]) -> TableRoute.Way? {
    guard hops.allSatisfy({ names[$0.index] != nil }) else { return nil }
    let shares = hops.compactMap { $0.share(names) }
    let isPlain = tos == 0 && object == nil && !hasMore && shares.count == hops.count
    guard isPlain else { return .strange(strange(names)) }
    switch kind {
    case .unreachable where terms == .none: return .unreachable
    case .unicast where shares.count == 1:
      return .out(device: shares[0].device, gateway: shares[0].gateway, terms: terms)
    case .unicast where shares.count > 1 && terms == .none: return .shared(shares)
    case .unicast, .unreachable, .other: return .strange(strange(names))
    }
  }

  private func strange(_ names: [UInt32: InterfaceName]) -> TableRoute.Strange {
    var words: [String] = []
    if kind != .unicast { words.append(kind.words) }
    if tos != 0 { words.append("tos \(hexadecimal(UInt32(tos)))") }
    if let object { words.append("nhid \(object)") }
    for hop in hops { words += [hop.oddity, names[hop.index].map { "dev \($0)" }].compactMap { $0 } }
    if hasMore || terms != .none { words.append("and more") }
    return TableRoute.Strange(kind: kind.number, typeOfService: tos, text: words.joined(separator: " "))
  }
}

extension RouteMessage.Kind {
  /// As ip(8) writes it (enum of RTN_… in linux/rtnetlink.h).
  var words: String {
    switch self {
    case .unicast: "unicast"
    case .unreachable: "unreachable"
    case .other(let number):
      [2: "local", 3: "broadcast", 6: "blackhole", 8: "prohibit", 9: "throw", 10: "nat"][number]
        ?? "type \(number)"
    }
  }
}
