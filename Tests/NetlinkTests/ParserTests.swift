import Testing

@testable import Netlink

@Suite("Parsing what the kernel sends")
struct ParserTests {
  private func first<T>(_ datagram: Datagram, _ parse: (Message) -> T?) -> T? {
    var found: T?
    datagram.bytes.withUnsafeBytes { bytes in
      _ = Message.forEach(in: bytes) { message in found = found ?? parse(message) }
    }
    return found
  }

  /// A unicast default route of table 7902 out of device 5 with metric 10, protocol 201.
  private func route(_ attributes: [UInt8]) -> Datagram {
    var datagram = Datagram()
    datagram.message(type: 24, [2, 0, 0, 0, 252, 201, 0, 1, 0, 0, 0, 0] + attributes)
    return datagram
  }

  private let table = Datagram.attribute(15, Datagram.raw(UInt32(7902)))
  private let device = Datagram.attribute(4, Datagram.raw(UInt32(5)))
  private let metric = Datagram.attribute(6, Datagram.raw(UInt32(10)))

  @Test("a route's table comes from the attribute, because a byte could not hold it")
  func routeTable() {
    let expected = RouteMessage(
      table: 7902, metric: 10, origin: 201, hops: [RouteMessage.NextHop(index: 5)], scope: 0)
    #expect(first(route(table + device + metric), RouteMessage.init) == expected)
  }

  @Test("a route whose attribute is longer than the message is refused", arguments: [0, 3, 9, 255, UInt16.max])
  func overlongAttribute(_ length: UInt16) {
    let lying = Datagram.attribute(6, Datagram.raw(UInt32(10)), length: length)
    #expect(first(route(table + device + lying), RouteMessage.init) == nil)
  }

  @Test("an attribute too short for its number counts as absent")
  func shortAttribute() {
    let short = Datagram.attribute(6, [1, 2])
    #expect(first(route(table + short), RouteMessage.init)?.metric == 0)
  }

  @Test("a balanced route has several ways, and a way of length 0 ends them")
  func multipath() {
    func hop(_ index: Int32, _ gateway: [UInt8], length: UInt16? = nil) -> [UInt8] {
      let attribute = Datagram.attribute(5, gateway)
      return Datagram.raw(length ?? UInt16(8 + attribute.count)) + [0, 0] + Datagram.raw(index) + attribute
    }
    let good = Datagram.attribute(9, hop(5, [192, 0, 2, 1]) + hop(6, [198, 51, 100, 1]))
    #expect(
      first(route(good), RouteMessage.init)?.hops == [
        RouteMessage.NextHop(index: 5, gateway: .ipv4(0xc000_0201)),
        RouteMessage.NextHop(index: 6, gateway: .ipv4(0xc633_6401)),
      ])
    let lying = Datagram.attribute(9, hop(5, [192, 0, 2, 1], length: 0))
    #expect(first(route(lying), RouteMessage.init)?.hops.isEmpty == true)
  }

  private let linkLocal: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
  private let parsedLinkLocal = RouteMessage.Gateway.ipv6(high: 0xfe80_0000_0000_0000, low: 1)

  @Test("a gateway of another family is read from struct rtvia, for a route and for each of several ways")
  func via() {
    let via = Datagram.attribute(18, [10, 0] + linkLocal)
    #expect(
      first(route(device + via), RouteMessage.init)?.hops == [RouteMessage.NextHop(index: 5, gateway: parsedLinkLocal)])
    let several = Datagram.attribute(
      9, Datagram.raw(UInt16(8 + via.count)) + [0, 3] + Datagram.raw(Int32(5)) + via)
    #expect(
      first(route(several), RouteMessage.init)?.hops
        == [RouteMessage.NextHop(index: 5, gateway: parsedLinkLocal, weight: 4)])
    let short = Datagram.attribute(18, [10, 0, 0xfe])
    #expect(first(route(device + short), RouteMessage.init)?.hops.first?.gateway == .other(family: 10))
    let foreign = Datagram.attribute(18, [28, 0, 1, 2, 3, 4])
    #expect(first(route(device + foreign), RouteMessage.init)?.hops.first?.gateway == .other(family: 28))
  }

  @Test("source, MTU, encapsulation and nexthop object of a route")
  func more() {
    let attributes =
      device + Datagram.attribute(7, [198, 51, 100, 2])
      + Datagram.attribute(8, Datagram.attribute(2, Datagram.raw(UInt32(1400)))) + Datagram.attribute(21, [1, 0])
      + Datagram.attribute(30, Datagram.raw(UInt32(7)))
    let message = first(route(attributes), RouteMessage.init)
    #expect(message?.source == 0xc633_6402 && message?.mtu == 1400 && message?.object == 7)
    #expect(message?.hops.first?.encapsulation == 1)
  }

  @Test("nexthop objects: one way, a group, a blackhole; without a number there is none")
  func nexthops() {
    func object(_ family: UInt8, _ attributes: [UInt8]) -> NexthopMessage? {
      var datagram = Datagram()
      datagram.message(type: 104, [family, 0, 0, 0, 4, 0, 0, 0] + attributes)
      return first(datagram, NexthopMessage.init)
    }
    let number = Datagram.attribute(1, Datagram.raw(UInt32(7)))
    let way = Datagram.attribute(5, Datagram.raw(UInt32(5)))
    #expect(
      object(2, number + way + Datagram.attribute(6, [192, 0, 2, 1]))
        == NexthopMessage(object: 7, hop: .init(index: 5, gateway: .ipv4(0xc000_0201), isOnLink: true)))
    #expect(object(10, number + way + Datagram.attribute(6, linkLocal))?.hop?.gateway == parsedLinkLocal)
    let members = Datagram.raw(UInt32(3)) + [0, 0, 0, 0] + Datagram.raw(UInt32(4)) + [2, 0, 0, 0, 9]
    #expect(
      object(0, number + Datagram.attribute(2, members))?.members
        == [.init(object: 3, weight: 1), .init(object: 4, weight: 3)])
    #expect(object(2, number + Datagram.attribute(4, []))?.isBlackhole == true)
    #expect(object(2, way) == nil)
  }

  /// What is known about the path to 203.0.113.2.
  private func exception(length: UInt8 = 32, flags: UInt32 = 0x200, _ attributes: [UInt8]) -> PathMTUMessage? {
    var datagram = Datagram()
    datagram.message(type: 24, [2, length, 0, 0, 254, 0, 0, 1] + Datagram.raw(flags) + attributes)
    return first(datagram, PathMTUMessage.init)
  }

  @Test("a learnt path MTU is a cloned route's, and an expired one has none")
  func pathMTU() {
    let destination = Datagram.attribute(1, [203, 0, 113, 2])
    func metrics(_ value: [UInt8], length: UInt16? = nil) -> [UInt8] {
      Datagram.attribute(8, Datagram.attribute(2, value, length: length))
    }
    let mtu = metrics(Datagram.raw(UInt32(1400)))
    let expected = PathMTUMessage(destination: 0xcb00_7102, index: 5, mtu: 1400)
    #expect(exception(destination + device + mtu) == expected)
    #expect(exception(flags: 0, destination + device + mtu) == nil, "a route of a kernel that knows no such dump")
    #expect(exception(length: 24, destination + device + mtu) == nil)
    #expect(exception(destination + device) == nil)
    #expect(exception(destination + mtu) == nil)
    #expect(exception(destination + device + metrics([1, 2])) == nil)
    #expect(exception(destination + device + metrics(Datagram.raw(UInt32(1400)), length: 255)) == nil)
  }

  @Test("counters that are cut off count as absent")
  func counters() {
    func traffic(_ numbers: [UInt64]) -> TrafficMessage? {
      var datagram = Datagram()
      datagram.message(
        type: 16,
        [UInt8](repeating: 0, count: 16) + Datagram.attribute(3, Array("wan0".utf8) + [0])
          + Datagram.attribute(23, numbers.flatMap { Datagram.raw($0) }))
      return first(datagram, TrafficMessage.init)
    }
    let numbers: [UInt64] = [1, 2, 3 << 32, 4 << 32]
    let expected = TrafficMessage(name: "wan0", packetsIn: 1, packetsOut: 2, bytesIn: 3 << 32, bytesOut: 4 << 32)
    #expect(traffic(numbers + [9, 9]) == expected)
    #expect(traffic(Array(numbers.dropLast())) == nil)
  }

  @Test("a rule with a mask but no mark attribute matches mark 0")
  func zeroMark() {
    var datagram = Datagram()
    let mask = Datagram.attribute(16, Datagram.raw(UInt32(0x0ff0_0000)))
    let none = Datagram.attribute(14, Datagram.raw(UInt32.max))
    datagram.message(type: 32, [2, 0, 0, 0, 254, 0, 0, 1] + Datagram.raw(UInt32(2)) + mask + none)
    let rule = first(datagram, RuleMessage.init)
    #expect(rule?.mark == 0 && rule?.mask == 0x0ff0_0000 && rule?.isInverted == true)
    #expect(rule?.suppressPrefixLength == nil)
  }

  @Test("a rule's destination is its address and length, and one longer than an address is refused")
  func ruleDestination() {
    func rule(_ length: UInt8) -> RuleMessage? {
      var datagram = Datagram()
      let address = Datagram.attribute(1, [203, 0, 113, 0])
      datagram.message(type: 32, [2, length, 0, 0, 254, 0, 0, 1] + Datagram.raw(UInt32(0)) + address)
      return first(datagram, RuleMessage.init)
    }
    #expect(rule(24)?.destination == 0xcb00_7100 && rule(24)?.destinationLength == 24)
    #expect(rule(24)?.hasMore == false && rule(24)?.sourceLength == 0)
    #expect(rule(33) == nil)
  }

  @Test("an IPv6 rule is read with its addresses")
  func ipv6Rule() {
    func rule(_ length: UInt8, _ attributes: [UInt8] = [], action: UInt8 = 8) -> RuleMessage? {
      var datagram = Datagram()
      datagram.message(
        type: 32,
        [10, 0, length, 0, 0, 0, 0, action] + Datagram.raw(UInt32(0))
          + Datagram.attribute(6, Datagram.raw(UInt32(9290))) + attributes)
      return first(datagram, RuleMessage.init)
    }
    #expect(rule(0) == RuleMessage(.ipv6, priority: 9290, action: .prohibit, origin: 0))
    let source = Datagram.attribute(2, [UInt8](repeating: 0x20, count: 16))
    #expect(rule(64, source)?.hasMore == false && rule(64, source)?.source == 0)
    #expect(rule(64, source)?.ipv6Source == UInt128(0x2020_2020_2020_2020) << 64 | 0x2020_2020_2020_2020)
    #expect(rule(64, source)?.sourceLength == 64 && rule(64, source)?.destinationLength == 0)
    #expect(rule(129, source) == nil)
    #expect(rule(0, action: 3)?.action == .nop)
    #expect(rule(0, Datagram.attribute(4, Datagram.raw(UInt32(9299))), action: 2)?.action == .goto(9299))
    #expect(rule(0, Datagram.attribute(4, Datagram.raw(UInt32(9299))), action: 1)?.hasMore == true)
  }

  @Test("a device without a name is refused")
  func namelessLink() {
    var datagram = Datagram()
    datagram.message(
      type: 16, [UInt8](repeating: 0, count: 16) + Datagram.attribute(4, Datagram.raw(UInt32(1500))))
    #expect(first(datagram, LinkMessage.init) == nil)
  }

  /// A device of this kind, with this data.
  private func link(_ kind: String, _ data: [UInt8]) -> LinkMessage? {
    let info =
      Datagram.attribute(1, Array(kind.utf8) + [0]) + Datagram.attribute(2, data)
    var datagram = Datagram()
    datagram.message(
      type: 16,
      [UInt8](repeating: 0, count: 16) + Datagram.attribute(3, Array("bh-fra".utf8) + [0])
        + Datagram.attribute(4, Datagram.raw(UInt32(1438))) + Datagram.attribute(18, info))
    return first(datagram, LinkMessage.init)
  }

  @Test("an XFRM interface has a number and an underlay; one whose number comes from the packets is not a tunnel")
  func xfrm() {
    let underlay = Datagram.attribute(1, Datagram.raw(UInt32(5)))
    let number = Datagram.attribute(2, Datagram.raw(UInt32(0x0102_0304)))
    let tunnel = TunnelMessage(
      kind: .xfrm(interfaceID: 0x0102_0304), local: 0, remote: 0, underlay: 5, mark: 0, ttl: 0,
      discoversPathMTU: false)
    #expect(link("xfrm", underlay + number)?.tunnel == tunnel)
    let none = Datagram.attribute(2, Datagram.raw(UInt32(0)))
    let flag = Datagram.attribute(3, [])
    #expect(link("xfrm", underlay + none + flag)?.name == "bh-fra")
    #expect(link("xfrm", underlay + none + flag)?.tunnel == nil)
    #expect(link("xfrm", underlay + Datagram.attribute(2, [1, 2]))?.tunnel == nil, "cut off")
    #expect(link("dummy", underlay + number)?.tunnel == nil)
  }

  private func gre(flags: UInt16) -> [UInt8] {
    Datagram.attribute(1, Datagram.raw(UInt32(5))) + Datagram.attribute(2, Datagram.raw(flags.bigEndian))
      + Datagram.attribute(3, Datagram.raw(flags.bigEndian))
      + Datagram.attribute(4, [0, 0, 0, 7]) + Datagram.attribute(5, [0, 0, 0, 7])
      + Datagram.attribute(6, [192, 0, 2, 2])
      + Datagram.attribute(7, [203, 0, 113, 2]) + Datagram.attribute(8, [64]) + Datagram.attribute(10, [1])
      + Datagram.attribute(20, Datagram.raw(UInt32(0x0100_0000)))
  }

  @Test("a GRE tunnel has a key only where its flags say so, and an IPIP tunnel has none")
  func encapsulations() {
    var tunnel = TunnelMessage(
      kind: .gre(key: 7), local: 0xc000_0202, remote: 0xcb00_7102, underlay: 5, mark: 0x0100_0000, ttl: 64)
    #expect(link("gre", gre(flags: 0x2000))?.tunnel == tunnel)
    tunnel.kind = .gre(key: nil)
    #expect(link("gre", gre(flags: 0))?.tunnel == tunnel)
    // Sequence numbers, which ours never have.
    tunnel.hasMore = true
    #expect(link("gre", gre(flags: 0x1000))?.tunnel == tunnel)
    tunnel.hasMore = false
    let ipip =
      Datagram.attribute(1, Datagram.raw(UInt32(5))) + Datagram.attribute(2, [192, 0, 2, 2])
      + Datagram.attribute(3, [203, 0, 113, 2]) + Datagram.attribute(4, [64]) + Datagram.attribute(10, [1])
      + Datagram.attribute(20, Datagram.raw(UInt32(0x0100_0000)))
    tunnel.kind = .ipip
    #expect(link("ipip", ipip)?.tunnel == tunnel)
    var none = TunnelMessage(
      kind: .ipip, local: 0, remote: 0, underlay: 0, mark: 0, ttl: 0, discoversPathMTU: false)
    none.hasMore = true
    #expect(link("ipip", Datagram.attribute(2, [192, 0]) + Datagram.attribute(4, []))?.tunnel == none, "cut off")
  }

  /// The kernel at hand may have no such tunnels, but at least we read back what we write.
  @Test(
    "a tunnel is read back as it was written",
    arguments: [.gre(key: nil), .gre(key: 0), .gre(key: .max), .ipip, .xfrm(interfaceID: 9)] as [TunnelMessage.Kind])
  func writtenTunnels(_ kind: TunnelMessage.Kind) throws {
    var tunnel = TunnelMessage(
      kind: kind, local: 0xc000_0202, remote: 0xcb00_7102, underlay: 5, mark: 0x7f00_0000, ttl: 255,
      discoversPathMTU: true)
    if case .xfrm = kind {
      tunnel = TunnelMessage(
        kind: kind, local: 0, remote: 0, underlay: 5, mark: 0, ttl: 0, discoversPathMTU: false)
    }
    var builder = MessageBuilder()
    builder.begin(type: 16, flags: 0, sequence: 1)
    builder.link(named: "bh-fra")
    builder.put(4, UInt32(1438))
    builder.linkInfo(tunnel)
    var found: LinkMessage?
    let isWhole = Message.forEach(in: try builder.finish("test")) { found = LinkMessage($0) }
    #expect(isWhole && found?.name == "bh-fra" && found?.tunnel == tunnel)
  }

  @Test("what the kernel reports for every rule does not count as a selector")
  func neutralSelectors() {
    func hasMore(_ attributes: [UInt8]) -> Bool? {
      var datagram = Datagram()
      datagram.message(type: 32, [2, 0, 0, 0, 254, 0, 0, 1] + Datagram.raw(UInt32(0)) + attributes)
      return first(datagram, RuleMessage.init)?.hasMore
    }
    let selectors: [(type: UInt16, neutral: [UInt8]?, other: [UInt8])] = [
      (13, Datagram.raw(UInt32.max), Datagram.raw(UInt32(0))), (19, [0], [1]),
      (12, [UInt8](repeating: 0, count: 8), [0, 0, 0, 0, 0, 0, 0, 1]), (11, [0, 0, 0, 0], [0, 0, 0, 1]),
      (17, nil, Array("wan0".utf8) + [0]), (20, nil, [0, 0, 0, 0, 1, 0, 0, 0]), (22, nil, [17]),
      (23, nil, [0, 1, 0, 9]),
    ]
    for (type, neutral, other) in selectors {
      if let neutral { #expect(hasMore(Datagram.attribute(type, neutral)) == false, "\(type)") }
      #expect(hasMore(Datagram.attribute(type, other)) == true, "\(type)")
    }
  }

  @Test("any bytes are read or refused, wherever they are cut off")
  func anything() {
    let datagrams = [
      route(table + device + metric).bytes, Datagram.attribute(1, [1, 2, 3]), [UInt8](repeating: 0xff, count: 64),
    ]
    for bytes in datagrams {
      for count in 0...bytes.count { bytes.prefix(count).withUnsafeBytes { _ = readAnything($0) } }
    }
    #expect(datagrams[0].withUnsafeBytes { readAnything($0) } > 0)
    #expect(datagrams[2].withUnsafeBytes { readAnything($0) } == 0)
  }

  @Test("a name without its NUL ends with its attribute")
  func unterminatedName() {
    var datagram = Datagram()
    datagram.message(
      type: 16,
      [UInt8](repeating: 0, count: 16) + Datagram.attribute(3, Array("wan0".utf8))
        + Datagram.attribute(4, Datagram.raw(UInt32(1500))))
    #expect(first(datagram, LinkMessage.init)?.name == "wan0")
  }

  @Test("starts and ends of a set pair up in any order, and the last address needs no end")
  func ranges() {
    #expect(
      SetFormat.ranges(starts: [0xf000_0000, 0, 20], ends: [30, 1]) == [0...0, 20...29, 0xf000_0000...UInt32.max])
    #expect(SetFormat.ranges(starts: [], ends: [1, 2]).isEmpty)
    #expect(SetFormat.ranges(starts: [0, 5, 5, 0], ends: []) == [0...4, 5...UInt32.max])
  }

  @Test("a comment with a wrong length counts as absent")
  func comment() {
    func decode(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { StoredComment.decode(Bytes($0)) } }
    #expect(decode(StoredComment.encode("LAN lan0")) == "LAN lan0")
    #expect(decode([0, 200, 65]) == "")
    #expect(decode([7, 1, 0, 0, 3, 65, 66, 0]) == "AB")
  }

  @Test("an element that is not a plain address has no key, and is not an error")
  func oddElements() {
    let key = Datagram.attribute(1, Datagram.attribute(1, [10, 0, 0, 0]))
    let comment = Datagram.attribute(6, [1, 2, 3, 4])
    let expression = Datagram.attribute(7, [0, 0, 0, 0])
    func keys(_ element: [UInt8]) -> [UInt32?]? {
      var keys: [UInt32?] = []
      var datagram = Datagram()
      datagram.message(
        type: 12, [0, 0, 0, 0] + Datagram.attribute(3, Datagram.attribute(1, element)))
      let isGood = first(datagram) { message in SetFormat.read(message) { key, _ in keys.append(key) } }
      return isGood == true ? keys : nil
    }
    #expect(keys(key) == [0x0a00_0000])
    #expect(keys(key + comment) == [0x0a00_0000])
    #expect(keys(key + expression) == [nil], "a limit makes it match now and then")
    #expect(keys(Datagram.attribute(3, [0, 0, 0, 2])) == [nil], "for whatever has no other")
  }

  @Test("a route with more attributes than ours have is told apart from ours")
  func strangeRoutes() {
    func message(_ attributes: [UInt8], service: UInt8 = 0) -> RouteMessage? {
      var datagram = Datagram()
      datagram.message(
        type: 24,
        [2, 0, 0, service, 0, 201, 0, 1, 0, 0, 0, 0] + Datagram.attribute(15, Datagram.raw(UInt32(7902)))
          + Datagram.attribute(4, Datagram.raw(UInt32(3))) + attributes)
      return first(datagram, RouteMessage.init)
    }
    func metric(_ type: UInt16) -> [UInt8] {
      Datagram.attribute(8, Datagram.attribute(type, Datagram.raw(UInt32(600))))
    }
    let plain = message([])
    #expect(plain?.hasMore == false && plain?.tos == 0 && plain?.mtu == nil && plain?.source == nil)
    // RTA_FLOW; RTAX_LOCK, RTAX_WINDOW and RTAX_ADVMSS.
    #expect(message(Datagram.attribute(11, Datagram.raw(UInt32(1))))?.hasMore == true)
    for type: UInt16 in [1, 3, 8] { #expect(message(metric(type))?.hasMore == true, "metric \(type)") }
    #expect(message(metric(2))?.mtu == 600 && message(metric(2))?.hasMore == false, "ours have one")
    #expect(message(Datagram.attribute(7, [192, 0, 2, 2]))?.source == 0xc000_0202)
    #expect(message(Datagram.attribute(30, Datagram.raw(UInt32(9))))?.object == 9)
    #expect(message(Datagram.attribute(21, Datagram.raw(UInt16(2))))?.hops.first?.encapsulation == 2)
    #expect(message([], service: 0x10)?.tos == 0x10)
  }

  @Test("a device's settings are absent where the kernel's array ends before them")
  func shortSettings() {
    func link(_ ipv4: [UInt32], family: UInt8 = 0) -> LinkMessage? {
      let array = Datagram.attribute(1, ipv4.flatMap { Datagram.raw($0) })
      let attributes =
        Datagram.attribute(3, Array("wan0".utf8) + [0]) + Datagram.attribute(4, Datagram.raw(UInt32(1500)))
        + Datagram.attribute(26, Datagram.attribute(2, array))
      var datagram = Datagram()
      datagram.message(type: 16, [family, 0, 0, 0] + [UInt8](repeating: 0, count: 12) + attributes)
      return first(datagram, LinkMessage.init)
    }
    let ten = link((1...10).map { UInt32($0) })?.settings
    #expect(ten?.forwarding == 1 && ten?.reversePathFilter == 8 && ten?.disableXFRM == nil)
    #expect(ten?.sourceValidMark == nil && ten?.disableIPv6 == nil)
    // A bridge's port (AF_BRIDGE) says something else there.
    #expect(link((1...40).map { UInt32($0) }, family: 7)?.settings == SettingsMessage())
  }
}

@Suite("Building messages")
struct MessageBuilderTests {
  @Test("that do not fit are never sent")
  func overflow() {
    var builder = MessageBuilder(capacity: 64)
    builder.begin(type: 24, flags: 0, sequence: 1)
    builder.put(1, string: String(repeating: "x", count: 100))
    builder.put(2, UInt32(1))
    let overflowed = builder.overflowed
    #expect(overflowed)
    do throws(NetlinkFailure) {
      _ = try builder.finish("test")
      Issue.record("finished")
    } catch { #expect(error.operation == "test") }
  }

  @Test("of 50,000 ranges makes pages that each fit their attribute")
  func pages() throws {
    let ranges = (0..<50_000).map { UInt32($0) << 10...UInt32($0) << 10 + 255 }
    var transaction = NFTTransaction()
    try transaction.addRanges(ranges, to: "direct", table: "backhaul")
    var read: [ClosedRange<UInt32>] = []
    let datagram = transaction.finish()
    let isWhole = Message.forEach(in: datagram) { message in
      var starts: [UInt32] = []
      var ends: [UInt32] = []
      guard message.type & 0xff == 12 else { return }
      let isGood = SetFormat.read(message) { key, isEnd in
        guard let key else { return }
        if isEnd { ends.append(key) } else { starts.append(key) }
      }
      #expect(isGood)
      read += SetFormat.ranges(starts: starts, ends: ends)
    }
    #expect(isWhole)
    #expect(read == ranges)
  }

  @Test("of a map of thousands makes pages that each fit their attribute, whatever its chains are called")
  func mapPages() throws {
    let chain = String(repeating: "c", count: 255)
    let elements = (0..<3_000).map { number in
      NFTMapElement(
        key: NFTExpression.deviceName("a-long-name\(number)"), verdict: number % 2 == 0 ? .jump(chain: chain) : .drop)
    }
    var transaction = NFTTransaction()
    try transaction.addElements(elements, to: "bind_to", table: "backhaul")
    var read: [NFTMapElement] = []
    let datagram = transaction.finish()
    let isWhole = Message.forEach(in: datagram) { message in
      guard message.type & 0xff == 12 else { return }
      let isGood = MapFormat.read(message) { element in
        if let verdict = element.verdict { read.append(NFTMapElement(key: element.key, verdict: verdict)) }
      }
      #expect(isGood)
    }
    #expect(isWhole)
    #expect(read == elements)
  }
}

@Suite("Neighbours")
struct NeighbourTests {
  private func event(state: UInt16, family: UInt8 = 2, _ attributes: [UInt8]) -> NetlinkEvent? {
    var datagram = Datagram()
    datagram.message(
      type: 28, [family, 0, 0, 0] + Datagram.raw(Int32(5)) + Datagram.raw(state) + [0, 0] + attributes)
    var found: NetlinkEvent?
    datagram.bytes.withUnsafeBytes { bytes in
      _ = Message.forEach(in: bytes) { message in found = found ?? NetlinkEvent(message) }
    }
    return found
  }

  private let address = Datagram.attribute(1, [192, 0, 2, 1])

  @Test("a missing one is reported, and nothing else about neighbours")
  func failed() {
    #expect(event(state: 0x20, address) == .neighbourFailed(index: 5, address: 0xc000_0201))
    for state in [UInt16(0x01), 0x02, 0x04, 0x10, 0x40] { #expect(event(state: state, address) == nil) }
    #expect(event(state: 0x20, family: 10, address) == nil)
    #expect(event(state: 0x20, []) == nil)
  }
}
