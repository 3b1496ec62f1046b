internal import RuleSets

/// The table as `nft -s list ruleset` (without the counters' figures) prints it; `nft -f` takes it back.
extension NftTable {
  package var text: String { lines.joined(separator: "\n") + "\n" }

  package var lines: [String] {
    var lines = ["table inet \(name) {"]
    if flags != 0 { lines.append("\tflags \(flagWords)") }
    for (index, block)
      in (counters.map(Self.lines(ofCounter:)) + flowtables.map(\.lines) + sets.map(\.lines) + maps.map(\.lines)
      + chains.map(\.lines))
      .enumerated()
    {
      if index > 0 { lines.append("") }
      lines += block.map { "\t" + $0 }
    }
    return lines + ["}"]
  }

  private static func lines(ofCounter name: String) -> [String] { ["counter \(name) {", "}"] }

  var flagWords: String { flags == 1 ? "dormant" : hexadecimal(flags) }
}

extension NftFlowtable {
  fileprivate var lines: [String] {
    let list = devices.map { "\"\($0)\"" }.joined(separator: ", ")
    return ["flowtable \(name) {", "\thook ingress priority \(priority == 0 ? "filter" : "\(priority)")"]
      + (devices.isEmpty ? [] : ["\tdevices = { \(list) }"]) + ["}"]
  }
}

extension NftSet {
  fileprivate var lines: [String] {
    var lines = ["set \(name) {"] + words.map { "\t\($0)" }
    if !ranges.isEmpty { lines.append("\telements = { \(AddressRanges.text(ranges)) }") }
    return lines + ["}"]
  }
}

extension NftSet {
  /// In nft(8)'s words: its type and what is special about it.
  var words: [String] {
    isFed
      ? ["type ipv4_addr", "size \(Self.fedSize)", "timeout \(Self.fedTimeout.components.seconds / 86_400)d"]
      : ["type ipv4_addr", "flags interval"]
  }
}

extension NftMap.Kind {
  /// In nft(8)'s words: its type and its flags.
  var words: [String] {
    switch self {
    case .device: ["type ifname : verdict"]
    case .mark: ["type mark : verdict"]
    case .fewMarks: ["type mark : verdict", "size \(NftMap.fewMarks)"]
    case .boxes(let fields):
      ["type \(fields.map(\.typeWord).joined(separator: " . ")) : verdict", "flags interval"]
    }
  }
}

extension NftMap {
  fileprivate var lines: [String] {
    var lines = ["map \(name) {"] + kind.words.map { "\t\($0)" }
    if !elements.isEmpty {
      lines += ["\telements = {"] + elements.map { "\t\t\($0.text(in: kind))," } + ["\t}"]
    }
    return lines + ["}"]
  }
}

extension NftMap.Element {
  func text(in kind: NftMap.Kind) -> String {
    switch verdict {
    case .jump(let chain): "\(keyText(in: kind)) : jump \(chain)"
    case .goto(let chain): "\(keyText(in: kind)) : goto \(chain)"
    }
  }

  func keyText(in kind: NftMap.Kind) -> String {
    switch key {
    case .device(let name): "\"\(name)\""
    case .mark(let mark): padded(mark.value)
    case .box(let box):
      if case .boxes(let fields) = kind { box.text(fields) } else { "\(box)" }
    }
  }
}

extension NftChain {
  fileprivate var lines: [String] {
    var lines = ["chain \(name) {"]
    if let hook { lines.append("\t\(hook.text)") }
    return lines + rules.map { "\t" + $0.text } + ["}"]
  }
}

extension NftChain.Hook {
  var text: String {
    "type \(kind.rawValue) hook \(point.rawValue) priority \(priorityText); policy accept;"
  }

  /// nft has names for some priorities and writes others as distances from them.
  fileprivate var priorityText: String {
    switch priority {
    case -150: "mangle"
    case -160: "mangle - 10"
    case -140: "mangle + 10"
    case 100 where point == .postrouting: "srcnat"
    case 0: "filter"
    default: "\(priority)"
    }
  }
}

extension NftRule {
  /// As one line of `nft list ruleset`.
  package var text: String {
    if let unrecognised { return unrecognised }
    // `ip saddr` implies the family and `ether saddr` the device's type, and nft then does not list them.
    let fields = Set(actions.flatMap(\.fields))
    let impliesIPv4 =
      matches.contains(where: \.isOfIPv4Header) || !fields.isDisjoint(with: [.source, .destination, .protocol])
    let impliesIPv6 = matches.contains { if case .ipv6DestinationIn = $0 { true } else { false } }
    let implied: [NftRule.Match] =
      (impliesIPv4 ? [.ipv4] : []) + (impliesIPv6 ? [.ipv6] : []) + (fields.contains(.sender) ? [.ethernet] : [])
    var words = matches.filter { !implied.contains($0) }.map(\.text)
    words += actions.map(\.text)
    if !comment.isEmpty { words.append("comment \"\(comment)\"") }
    return words.joined(separator: " ")
  }
}

extension NftRule.Match {
  fileprivate var text: String {
    switch self {
    case .incoming(let device): "iifname \"\(device)\""
    case .outgoing(let device): "oifname \"\(device)\""
    case .slave(let device): "meta sdifname \"\(device)\""
    case .ethernet: "meta iiftype ether"
    case .ipv4: "meta nfproto ipv4"
    case .ipv6: "meta nfproto ipv6"
    case .sourceIn(let set): "ip saddr @\(set)"
    case .destinationIn(let set): "ip daddr @\(set)"
    case .destinationNotIn(let set): "ip daddr != @\(set)"
    case .sourceWithin(let prefix): "ip saddr \(prefix.length == 32 ? "\(prefix.address)" : "\(prefix)")"
    case .sourceIs(let address): "ip saddr \(address)"
    case .destinationIs(let address): "ip daddr \(address)"
    case .ipv6DestinationIn(let prefix): "ip6 daddr \(prefix.length == 128 ? "\(prefix.address)" : "\(prefix)")"
    case .protocolIs(let number): "ip protocol \(Self.name(ofProtocol: number))"
    case .willBeEncrypted(let expected): "rt ipsec \(expected ? "exists" : "missing")"
    case .wasEncrypted(let expected): "meta ipsec \(expected ? "exists" : "missing")"
    case .mark(let mark, let mask): "meta mark & \(padded(mask.bits)) == \(padded(mark.value))"
    case .markNot(let mark, let mask): "meta mark & \(padded(mask.bits)) != \(padded(mark.value))"
    case .connectionMark(let mark, let mask): "ct mark & \(padded(mask.bits)) == \(padded(mark.value))"
    case .connectionMarkNot(let mark, let mask): "ct mark & \(padded(mask.bits)) != \(padded(mark.value))"
    case .original: "ct direction original"
    case .reply: "ct direction reply"
    case .invalid: "ct state invalid"
    case .untracked: "ct state untracked"
    case .established: "ct state established"
    case .related: "ct state related"
    case .dscp(let value): "ip dscp 0x\(value < 16 ? "0" : "")\(String(value, radix: 16))"
    case .keepsSource: "ct status ! snat"
    case .tcpSYN: "tcp flags syn / syn,rst"
    case .tcpReset: "tcp flags & rst == rst"
    case .icmpType(let number): "icmp type \(Self.name(ofICMPType: number))"
    case .quotes(let number): "@th,136,8 0x\(String(number, radix: 16))"
    }
  }

  fileprivate var isOfIPv4Header: Bool {
    switch self {
    case .sourceIn, .destinationIn, .destinationNotIn, .sourceWithin, .sourceIs, .destinationIs, .protocolIs, .icmpType,
      .dscp:
      true
    default: false
    }
  }

  /// As nft writes those that we use; it also accepts a number.
  private static func name(ofICMPType number: UInt8) -> String {
    switch number {
    case 3: "destination-unreachable"
    case 5: "redirect"
    case 11: "time-exceeded"
    case 12: "parameter-problem"
    default: "\(number)"
    }
  }

  /// As nft writes those that we use, from /etc/protocols; it also accepts a number.
  static func name(ofProtocol number: UInt8) -> String {
    switch number {
    case IPProtocol.icmp: "icmp"
    case IPProtocol.ipip: "ipencap"
    case IPProtocol.tcp: "tcp"
    case IPProtocol.udp: "udp"
    case IPProtocol.gre: "gre"
    case IPProtocol.esp: "esp"
    default: "\(number)"
    }
  }
}

extension NftRule.Action {
  fileprivate var text: String {
    switch self {
    case .count: "counter"
    case .countIn(let name): "counter name \"\(name)\""
    case .setMark(let mark, let mask): "meta mark set meta mark" + Self.replaced(mark, mask)
    case .setConnectionMark(let mark, let mask): "ct mark set ct mark" + Self.replaced(mark, mask)
    case .clampMSS(let size): "tcp option maxseg size set \(size)"
    case .masquerade: "masquerade"
    case .offload(let flowtable): "flow add @\(flowtable)"
    case .translate(let address): "snat ip to \(address)"
    case .drop: "drop"
    case .reject: "reject with icmpx admin-prohibited"
    case .return: "return"
    case .jump(let chain): "jump \(chain)"
    case .goto(let chain): "goto \(chain)"
    case .choose(.incoming, let map): "iifname vmap @\(map)"
    case .choose(.outgoing, let map): "oifname vmap @\(map)"
    case .choose(.fields(let fields), let map): "\(fields.map(\.words).joined(separator: " . ")) vmap @\(map)"
    case .choose(.mark(let mask), let map): "meta mark & \(padded(mask.bits)) vmap @\(map)"
    case .choose(.connectionMark(let mask), let map): "ct mark & \(padded(mask.bits)) vmap @\(map)"
    }
  }

  /// What it loads for a map of boxes.
  fileprivate var fields: [PacketField] { if case .choose(.fields(let fields), _) = self { fields } else { [] } }

  /// nft writes the bits that are set by `|` into the mask of `&` too; it comes to the same.
  private static func replaced(_ mark: Mark, _ mask: MarkMask) -> String {
    " & \(padded(~mask.bits | mark.value))" + (mark.value == 0 ? "" : " | \(padded(mark.value))")
  }
}

extension AddressRanges {
  /// As nft writes elements: a prefix where it is one, an address, or `first-last`.
  package static func text(_ ranges: [ClosedRange<UInt32>]) -> String {
    ranges.map(text).joined(separator: ", ")
  }

  private static func text(_ range: ClosedRange<UInt32>) -> String {
    let first = IPv4Address(value: range.lowerBound)
    if range.count == 1 { return first.description }
    let hostBits = range.upperBound ^ range.lowerBound
    // All ones below, and none of them set in the first address.
    if hostBits & (hostBits &+ 1) == 0, range.lowerBound & hostBits == 0 {
      return "\(first)/\(hostBits.leadingZeroBitCount)"
    }
    return "\(first)-\(IPv4Address(value: range.upperBound))"
  }
}

/// Eight digits, as nft writes marks.
private func padded(_ value: UInt32) -> String {
  let digits = String(value, radix: 16)
  return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}
