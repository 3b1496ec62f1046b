/// IPv4 addresses and prefixes as documents write them, each with the mistake that people make.
extension Form where Value == IPv4Address {
  /// An address that one host can have.
  package static let hostAddress = Form(
    .text("host_address", 7...15, "the IPv4 address of a host, such as 192.0.2.1")
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    guard let address = IPv4Address(text) else { return .refused(hint: addressHint(text)) }
    if address.isHost { return .value(address) }
    return .refused(hint: "no host can have this address")
  }

  private static func addressHint(_ text: String) -> String? {
    if text.utf8.contains(UInt8(ascii: ":")) { return IPv4Hint.ipv6 }
    if let (address, _) = IPv4Prefix.parse(text) { return "without the prefix length: \(quoted("\(address)"))" }
    return IPv4Hint.looksLikeHostName(text) ? "an address, not a name: a name would need DNS" : nil
  }
}

extension Form where Value == IPv4Prefix {
  /// A prefix of hosts, in canonical form.
  package static let prefix = Form(.text("prefix", 9...18, "an IPv4 prefix such as 10.1.0.0/16")) { value in
    guard case .string(let text) = value else { return .refused() }
    guard let prefix = IPv4Prefix(text) else { return .refused(hint: prefixHint(text)) }
    return prefix.holdsNoHost ? .refused(hint: "no host can have an address in it") : .value(prefix)
  }

  private static func prefixHint(_ text: String) -> String? {
    if text.utf8.contains(UInt8(ascii: ":")) { return IPv4Hint.ipv6 }
    if let address = IPv4Address(text) { return "one address is \(quoted("\(address)/32"))" }
    guard let (address, length) = IPv4Prefix.parse(text) else { return nil }
    let prefix = IPv4Prefix(containing: address, length: length)
    return prefix.map { "\(address) is a host in it: write \(quoted("\($0)")) or \(quoted("\(address)/32"))" }
  }
}

extension Form where Value == InterfaceAddress {
  /// An address with the length of its subnet, as `ip addr` writes it.
  package static let interfaceAddress = Form(
    .text("interface_address", 9...18, "an IPv4 address of a host with its prefix length, such as 10.1.1.1/30")
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    guard let address = InterfaceAddress(text) else {
      if text.utf8.contains(UInt8(ascii: ":")) { return .refused(hint: IPv4Hint.ipv6) }
      return .refused(hint: IPv4Address(text).map { "the length is missing: \(quoted("\($0)/32")) or wider" })
    }
    guard address.address.isHost else { return .refused(hint: "no host can have this address") }
    guard address.length >= 8 else { return .refused(hint: "a prefix length from 8 to 32") }
    return address.hasHostPart ? .value(address) : .refused(hint: "that is the network's or its broadcast address")
  }
}

private enum IPv4Hint {
  static let ipv6 = "this looks like IPv6, and only IPv4 is backhauled"

  static func looksLikeHostName(_ text: String) -> Bool {
    text.utf8.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
  }
}

extension IPv4Prefix {
  /// It lies wholly in 0.0.0.0/8, loopback, multicast or reserved space.
  fileprivate var holdsNoHost: Bool {
    let (first, last) = (range.lowerBound, range.upperBound)
    return last >> 24 == 0 || (first >> 24 == 127 && last >> 24 == 127) || first >> 29 == 7
  }
}

extension InterfaceAddress {
  /// False for the first and last address of a subnet with a host part; a /31 (RFC 3021) and a /32 have none.
  fileprivate var hasHostPart: Bool {
    guard length <= 30 else { return true }
    return address.value != subnet.range.lowerBound && address.value != subnet.range.upperBound
  }
}
