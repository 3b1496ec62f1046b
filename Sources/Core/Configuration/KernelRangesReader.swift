internal import RuleSets

/// `[kernel]`: numbers and names that must be ours alone.
enum KernelRangesReader {
  private static let keys = [
    "mark_mask", "first_table", "last_table", "first_priority", "last_priority", "route_protocol", "nft_table",
    "interface_prefix", "flowtable",
  ]

  static func read(_ top: FieldReader) -> KernelRanges? {
    let standard = KernelRanges()
    guard let value = top["kernel"] else { return standard }
    guard let fields = FieldReader(value, at: "kernel", keys: keys, book: top.book) else { return nil }
    let mask = fields.value("mark_mask", maskForm, default: standard.markMask)
    let tables = range("table", 1...Int64(UInt32.max), standard.tables, fields)
    let priorities = range("priority", 1...32_765, standard.priorities, fields)
    let routeProtocol = fields.value("route_protocol", routeProtocolForm, default: standard.routeProtocol)
    let nftTable = fields.value("nft_table", nftTableForm, default: standard.nftTable)
    let prefix = fields.value("interface_prefix", prefixForm, default: standard.interfacePrefix)
    let usesFlowtable = fields.value("flowtable", .boolean, default: standard.usesFlowtable)
    if let tables { check(tables: tables, fields) }
    if let priorities, priorities.count < KernelRanges.leastPriorities {
      fields.complain(
        "last_priority",
        "expected a range of at least \(KernelRanges.leastPriorities) priorities, found \(priorities.count)")
    }
    guard let mask, let tables, let priorities, let routeProtocol, let nftTable, let prefix, let usesFlowtable
    else { return nil }
    return KernelRanges(
      markMask: mask, tables: tables, priorities: priorities, routeProtocol: routeProtocol, nftTable: nftTable,
      interfacePrefix: prefix, usesFlowtable: usesFlowtable)
  }

  /// One rule, one tunnel and two uplinks, with some room.
  private static let leastTables = 8

  /// `first_…` and `last_…`. Who gives one of them gives both: half a default is no range that anyone meant.
  private static func range(
    _ noun: String, _ bounds: ClosedRange<Int64>, _ standard: ClosedRange<UInt32>, _ fields: FieldReader
  ) -> ClosedRange<UInt32>? {
    let (firstKey, lastKey) = ("first_\(noun)", "last_\(noun)")
    if fields[firstKey] == nil && fields[lastKey] == nil { return standard }
    let first = fields.required(firstKey, .integer(bounds))
    let last = fields.required(lastKey, .integer(bounds))
    guard let first, let last else { return nil }
    guard first <= last else {
      fields.complain(lastKey, "expected at least \(firstKey), \(first), found \(last)")
      return nil
    }
    return UInt32(first)...UInt32(last)
  }

  private static func check(tables: ClosedRange<UInt32>, _ fields: FieldReader) {
    if tables.overlaps(253...255) {
      fields.complain(
        "first_table",
        "expected a range without 253 to 255 (default, main, local), found \(tables.lowerBound) to"
          + " \(tables.upperBound)")
    }
    if tables.count < leastTables {
      fields.complain("last_table", "expected a range of at least \(leastTables) tables, found \(tables.count)")
    }
  }

  private static let maskForm = Form<MarkMask>(
    "a 32-bit mask such as 0x7f000000, with at least 4 bits set and no gap between them"
  ) { value in
    switch value {
    case .integer(let number):
      guard let bits = UInt32(exactly: number), let mask = MarkMask(bits: bits) else {
        return .refused(hint: number < 0 ? nil : "0x" + String(number, radix: 16))
      }
      return .value(mask)
    case .string: return .refused(hint: "a number, without quotes")
    default: return .refused()
    }
  }

  /// /etc/iproute2/rt_protos, and what the kernel itself uses (linux/rtnetlink.h).
  private static let takenProtocols: [Int64: String] = [
    8: "gated", 9: "router advertisements", 10: "MRT", 11: "zebra", 12: "BIRD", 13: "DECnet", 14: "XORP",
    15: "netsukuku",
    16: "DHCP", 17: "mrouted", 18: "keepalived", 42: "babeld", 99: "openr", 186: "FRR's BGP", 187: "FRR's IS-IS",
    188: "FRR's OSPF", 189: "FRR's RIP", 192: "FRR's EIGRP",
  ]

  private static let routeProtocolForm = Form<RouteProtocol>("a route protocol's number from 5 to 255") { value in
    guard case .integer(let number) = value, (5...255).contains(number) else { return .refused() }
    if let owner = takenProtocols[number] { return .refused(hint: "that is \(owner)") }
    return .value(RouteProtocol(UInt8(number)))
  }

  private static let nftTableForm = Form<String>(
    "an nftables name of 1 to 32 letters, digits, \"_\" and \"-\" that begins with a letter"
  ) { value in
    guard case .string(let text) = value, isIdentifier(text, atMost: 32) else { return .refused() }
    return .value(text)
  }

  private static let prefixForm = Form<String>(
    "1 to 8 letters, digits, \"_\" and \"-\" that begin with a letter"
  ) { value in
    guard case .string(let text) = value, isIdentifier(text, atMost: 8) else { return .refused() }
    return .value(text)
  }

  private static func isIdentifier(_ text: String, atMost length: Int) -> Bool {
    func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
    guard (1...length).contains(text.utf8.count), let first = text.utf8.first, isLetter(first) else { return false }
    return text.utf8.allSatisfy { byte in
      isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
        || byte == UInt8(ascii: "-")
    }
  }
}
