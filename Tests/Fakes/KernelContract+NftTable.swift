package import Core
internal import RuleSets

#if canImport(Glibc)
  import Glibc
#endif

extension KernelGround {
  /// Every match and every action, with both kinds of chain and map.
  package func sampleNftTable() throws -> NftTable {
    let mask = ranges.markMask
    let mark = Mark(value: 0x1200_0000)
    let lan = try Sample.device("lan0")
    let wan = try Sample.device("wan0")
    let direct = NftSet(
      name: "direct",
      ranges: [
        0...0, try Sample.range("10.0.0.0/8"), try Sample.range("192.0.2.7/32"), try Sample.range("240.0.0.0/4"),
      ])
    let source = NftSet(name: "source_office", ranges: [try Sample.range("192.168.10.0/24")])
    let steer: [NftRule] = [
      NftRule(
        [.ipv4, .reply, .connectionMark(mark, mask)], [.setMark(mark, mask), .return], comment: "by fra-a"),
      NftRule([.ipv4, .destinationIn(set: "direct")], [.setMark(mark, mask), .return], comment: "direct"),
      NftRule([.ipv4, .sourceIn(set: "source_office")], [.count, .setMark(mark, mask)], comment: "office"),
      NftRule([.ipv4, .reply], [.choose(by: .connectionMark(mask), map: "way_of")], comment: "by a tunnel"),
      NftRule(
        [.related, .ipv4, .protocolIs(IPProtocol.icmp)], [.choose(by: .connectionMark(mask), map: "way_of")],
        comment: "an error"),
    ]
    let sites = ["2001:db8:9::/64", "2001:db8:8000::/33", "2001:db8::1/128"].compactMap { IPv6Prefix($0) }
    var pass: [NftRule] = [
      NftRule([.outgoing(wan), .ipv4, .destinationNotIn(set: "direct")], [.drop], comment: "guard"),
      NftRule([.ipv6, .outgoing(wan)], [.count, .reject]),
      NftRule([.outgoing(wan), .markNot(Mark(value: 0), mask), .invalid], [.drop]),
      NftRule([.outgoing(wan), .mark(mark, mask), .untracked], [.drop]),
      NftRule([.original, .connectionMarkNot(mark, mask)], [.setConnectionMark(mark, mask)]),
      NftRule([.ipv4, .incoming(lan), .tcpSYN], [.clampMSS(1436)], comment: "MTU 1476"),
      NftRule([.keepsSource], [.count, .goto(chain: "steer")], comment: "settles"),
      NftRule([.incoming(wan), .ipv4, .protocolIs(IPProtocol.gre), .wasEncrypted(false)], [.count, .drop]),
      NftRule([.ipv4], [.choose(by: .outgoing, map: "bind_to")], comment: "leaves by a tunnel"),
      NftRule([], [.choose(by: .incoming, map: "bind_to")]),
      NftRule([.outgoing(wan), .willBeEncrypted(true), .wasEncrypted(true)], [.count]),
      NftRule([.slave(lan), .ipv4], [.drop], comment: "in a VRF"),
    ]
    pass += ["10.1.0.0/16", "10.2.3.128/25", "192.0.2.7/32"].compactMap { IPv4Prefix($0) }.map {
      NftRule([.ipv4, .sourceWithin($0)], [.choose(by: .mark(mask), map: "few")])
    }
    pass += sites.map { NftRule([.outgoing(wan), .ipv6, .ipv6DestinationIn($0)], [.return]) }
    let hub = try Sample.address("203.0.113.2")
    let own: [NftRule] = [
      NftRule([.markNot(Mark(value: 0), mask)], [.setMark(Mark(value: 0), mask)]),
      NftRule(
        [
          .outgoing(wan), .ipv4, .protocolIs(IPProtocol.gre), .sourceIs(try Sample.address("192.0.2.2")),
          .destinationIs(hub), .willBeEncrypted(false),
        ], [.count, .drop], comment: "never in the clear"),
      NftRule([.ipv4, .destinationIs(hub), .protocolIs(IPProtocol.ipip)], [.count]),
      NftRule([.ipv4, .protocolIs(251), .sourceIs(hub)], [.count]),
    ]
    let errors: [NftRule] =
      [3, 5, 11, 12].map { NftRule([.ipv4, .icmpType($0)], [.count]) } + [
        NftRule([.ipv4, .icmpType(3), .quotes(protocol: IPProtocol.gre)], [.count, .drop]),
        NftRule([.related, .ipv4, .tcpReset], [.count]),
      ]
    let maps = [
      NftMap(
        name: "bind_to", kind: .device,
        elements: [
          .init(.device(wan), .jump(chain: "bind_wan0")),
          .init(.device(try Sample.device("a-long-name.123")), .goto(chain: "bind_/0x12000000")),
        ]),
      NftMap(
        name: "way_of", kind: .mark,
        elements: [
          .init(.mark(mark), .goto(chain: "bind_wan0")),
          .init(.mark(Mark(value: 0x1300_0000)), .jump(chain: "bind_wan0")),
        ]),
      NftMap(name: "nothing", kind: .device, elements: []),
      .marks("few", [.init(.mark(mark), .jump(chain: "bind_wan0"))]),
    ]
    return NftTable(
      name: ranges.nftTable, sets: [direct, source], maps: maps,
      chains: [
        NftChain(
          name: "classify", hook: .init(kind: .filter, point: .prerouting, priority: -150),
          rules: [NftRule([.incoming(lan)], [.jump(chain: "steer")], comment: "LAN")]),
        NftChain(name: "steer", rules: steer),
        NftChain(
          name: "own", hook: .init(kind: .route, point: .output, priority: -150),
          rules: own),
        NftChain(name: "arrive", hook: .init(kind: .filter, point: .input, priority: -150), rules: []),
        NftChain(name: "pass", hook: .init(kind: .filter, point: .forward, priority: -150), rules: pass),
        NftChain(
          name: "leave", hook: .init(kind: .nat, point: .postrouting, priority: 100),
          rules: [
            NftRule([.outgoing(wan), .mark(mark, mask)], [.masquerade], comment: "by wan0"),
            NftRule([.ipv4, .outgoing(lan)], [.translate(to: hub)], comment: "by another address"),
          ]),
        NftChain(name: "bind_wan0", rules: [NftRule([], [.setConnectionMark(mark, mask)])]),
        NftChain(name: "bind_/0x12000000", rules: [NftRule([], [.count, .drop])]),
        NftChain(
          name: "own_errors", hook: .init(kind: .filter, point: .output, priority: -140), rules: errors),
      ])
  }

  func nftForms() throws {
    let table = try sampleNftTable()
    try apply([.replaceNftTable(table)])
    try expect(try read(expecting: table).nftTable, is: table, "steering")
  }

  func nftReplaced() throws {
    let table = try sampleNftTable()
    var smaller = table
    smaller.chains.removeAll { $0.name == "pass" || $0.name == "leave" }
    smaller.maps = [
      NftMap(name: "way_of", kind: .mark, elements: Array(table.maps[1].elements.dropFirst()))
    ]
    smaller.sets[1].ranges = [try Sample.range("172.16.0.0/12")]
    try apply([.replaceNftTable(table), .replaceNftTable(table), .replaceNftTable(smaller)])
    try expect(try read(expecting: smaller).nftTable, is: smaller, "steering")
    try apply([.deleteNftTable(table: table.name), .deleteNftTable(table: table.name)])
    try expect(try read(expecting: smaller).nftTable, is: nil, "steering")
  }

  func jumpNowhere() throws {
    let table = try sampleNftTable()
    var broken = table
    broken.chains[0].rules.append(NftRule([], [.jump(chain: "nowhere")]))
    try apply([.replaceNftTable(table)])
    try expect(.replaceNftTable(broken), failsWith: ENOENT)
    try expect(try read(expecting: table).nftTable, is: table, "steering after the refusal")
  }

  func decryptionAtOutput() throws {
    let table = try sampleNftTable()
    let asks = [
      NftRule([.wasEncrypted(false)], [.count]), NftRule([.slave(try Sample.device("lan0"))], [.count]),
    ]
    for (ask, chain, isRefused) in [
      (0, "classify", false), (0, "steer", false), (0, "own", true), (0, "leave", true),
      (1, "steer", true), (1, "arrive", false), (1, "pass", false), (1, "leave", true),
    ] {
      var asking = table
      guard let index = asking.chains.firstIndex(where: { $0.name == chain }) else { throw ContractBreach(chain) }
      asking.chains[index].rules.append(asks[ask])
      if isRefused {
        try expect(.replaceNftTable(asking), failsWith: EOPNOTSUPP)
      } else {
        try apply([.replaceNftTable(asking)])
        try expect(try read(expecting: asking).nftTable, is: asking, "steering")
      }
    }
    for leads in [NftRule.Action.jump(chain: "steer"), .choose(by: .outgoing, map: "nothing")] {
      var jumping = try leading(table, to: "steer")
      jumping.chains[1].rules.append(asks[0])
      jumping.chains[2].rules.append(NftRule([], [leads]))
      try expect(.replaceNftTable(jumping), failsWith: EOPNOTSUPP)
    }
  }

  func lookupNowhere() throws {
    var broken = try sampleNftTable()
    broken.sets.removeLast()
    try expect(.replaceNftTable(broken), failsWith: ENOENT)
    try expect(try read().nftTable, is: nil, "steering after the refusal")
  }

  func choiceNowhere() throws {
    var broken = try sampleNftTable()
    broken.maps.removeAll { $0.name == "way_of" }
    try expect(.replaceNftTable(broken), failsWith: ENOENT)
    try expect(try read().nftTable, is: nil, "steering after the refusal")
  }

  func mapNowhere() throws {
    let table = try sampleNftTable()
    try apply([.replaceNftTable(table)])
    try expect(.replaceNftTable(try leading(table, to: "nowhere")), failsWith: ENOENT)
    try expect(try read(expecting: table).nftTable, is: table, "steering after the refusal")
  }

  func mapToBaseChain() throws {
    let table = try sampleNftTable()
    try apply([.replaceNftTable(table)])
    try expect(.replaceNftTable(try leading(table, to: "pass")), failsWith: EOPNOTSUPP)
    try expect(try read(expecting: table).nftTable, is: table, "steering after the refusal")
  }

  private func leading(_ table: NftTable, to chain: String) throws -> NftTable {
    var leading = table
    leading.maps[2] = NftMap(
      name: "nothing", kind: .device, elements: [.init(.device(try Sample.device("lan0")), .jump(chain: chain))])
    return leading
  }

  func setsChange() throws {
    var table = try sampleNftTable()
    let (old, new) = (try Sample.range("10.0.0.0/8"), try Sample.range("10.0.0.0/9"))
    let more = try Sample.range("203.0.113.0/24")
    try apply([.replaceNftTable(table)])
    let change = SetChange(set: "direct", remove: [old], add: [new, more])
    try apply([.changeSets(table: table.name, [change]), .changeSets(table: table.name, [change])])
    table.sets[0].ranges = (table.sets[0].ranges.filter { $0 != old } + [new, more])
      .sorted { $0.lowerBound < $1.lowerBound }
    try expect(try read(expecting: table).nftTable, is: table, "steering")
  }

  func unexpectedRule() throws {
    let table = try sampleNftTable()
    try apply([.replaceNftTable(table)])
    var expected = table
    expected.chains[4].rules.removeFirst()
    let rules = try read(expecting: expected).nftTable?.chains[4].rules ?? []
    try expect(rules.count, is: table.chains[4].rules.count, "rules")
    try expect(rules[0].unrecognised?.isEmpty == false, "the rule comes as \(rules[0])")
    try expect(rules[0].comment, is: "guard", "its comment")
    try expect(Array(rules[1...]), is: expected.chains[4].rules, "the other rules")
  }
}
