package import Core

#if canImport(Glibc)
  import Glibc
#endif

extension KernelGround {
  /// Every match and every action, with both kinds of chain and of map.
  package func sampleSteering() throws -> SteeringTable {
    let mask = ranges.markMask
    let mark = Mark(value: 0x1200_0000)
    let lan = try Sample.device("lan0")
    let wan = try Sample.device("wan0")
    let direct = AddressSet(
      name: "direct",
      ranges: [
        0...0, try Sample.range("10.0.0.0/8"), try Sample.range("192.0.2.7/32"), try Sample.range("240.0.0.0/4"),
      ])
    let source = AddressSet(name: "source_office", ranges: [try Sample.range("192.168.10.0/24")])
    let steer: [SteeringRule] = [
      SteeringRule(
        [.ipv4, .reply, .connectionMark(mark, mask)], [.setMark(mark, mask), .return], comment: "by fra-a"),
      SteeringRule([.ipv4, .destinationIn(set: "direct")], [.setMark(mark, mask), .return], comment: "direct"),
      SteeringRule([.ipv4, .sourceIn(set: "source_office")], [.count, .setMark(mark, mask)], comment: "office"),
      SteeringRule([.ipv4, .reply], [.choose(by: .connectionMark(mask), map: "way_of")], comment: "by a tunnel"),
      SteeringRule(
        [.related, .ipv4, .protocolIs(IPProtocol.icmp)], [.choose(by: .connectionMark(mask), map: "way_of")],
        comment: "an error"),
    ]
    let sites = ["2001:db8:9::/64", "2001:db8:8000::/33", "2001:db8::1/128"].compactMap { IPv6Prefix($0) }
    var pass: [SteeringRule] = [
      SteeringRule([.outgoing(wan), .ipv4, .destinationNotIn(set: "direct")], [.drop], comment: "guard"),
      SteeringRule([.ipv6, .outgoing(wan)], [.count, .reject]),
      SteeringRule([.outgoing(wan), .markNot(Mark(value: 0), mask), .invalid], [.drop]),
      SteeringRule([.outgoing(wan), .mark(mark, mask), .untracked], [.drop]),
      SteeringRule([.original, .connectionMarkNot(mark, mask)], [.setConnectionMark(mark, mask)]),
      SteeringRule([.ipv4, .incoming(lan), .tcpSYN], [.clampMSS(1436)], comment: "MTU 1476"),
      SteeringRule([.incoming(wan), .ipv4, .protocolIs(IPProtocol.gre), .wasEncrypted(false)], [.count, .drop]),
      SteeringRule([.ipv4], [.choose(by: .outgoing, map: "bind_to")], comment: "leaves by a tunnel"),
      SteeringRule([], [.choose(by: .incoming, map: "bind_to")]),
      SteeringRule([.outgoing(wan), .willBeEncrypted(true), .wasEncrypted(true)], [.count]),
      SteeringRule([.slave(lan), .ipv4], [.drop], comment: "in a VRF"),
    ]
    pass += sites.map { SteeringRule([.outgoing(wan), .ipv6, .ipv6DestinationIn($0)], [.return]) }
    let hub = try Sample.address("203.0.113.2")
    let own: [SteeringRule] = [
      SteeringRule([.markNot(Mark(value: 0), mask)], [.setMark(Mark(value: 0), mask)]),
      SteeringRule(
        [
          .outgoing(wan), .ipv4, .protocolIs(IPProtocol.gre), .sourceIs(try Sample.address("192.0.2.2")),
          .destinationIs(hub), .willBeEncrypted(false),
        ], [.count, .drop], comment: "never in the clear"),
      SteeringRule([.ipv4, .destinationIs(hub), .protocolIs(IPProtocol.ipip)], [.count]),
      SteeringRule([.ipv4, .protocolIs(251), .sourceIs(hub)], [.count]),
    ]
    let errors: [SteeringRule] =
      [3, 5, 11, 12].map { SteeringRule([.ipv4, .icmpType($0)], [.count]) } + [
        SteeringRule([.ipv4, .icmpType(3), .quotes(protocol: IPProtocol.gre)], [.count, .drop]),
        SteeringRule([.related, .ipv4, .tcpReset], [.count]),
      ]
    let maps = [
      SteeringMap(
        name: "bind_to", kind: .device,
        elements: [
          .init(.device(wan), .jump(chain: "bind_wan0")),
          .init(.device(try Sample.device("a-long-name.123")), .goto(chain: "bind_/0x12000000")),
        ]),
      SteeringMap(
        name: "way_of", kind: .mark,
        elements: [
          .init(.mark(mark), .goto(chain: "bind_wan0")),
          .init(.mark(Mark(value: 0x1300_0000)), .jump(chain: "bind_wan0")),
        ]),
      SteeringMap(name: "nothing", kind: .device, elements: []),
    ]
    return SteeringTable(
      name: ranges.nftTable, sets: [direct, source], maps: maps,
      chains: [
        SteeringChain(
          name: "classify", hook: .init(kind: .filter, point: .prerouting, priority: -150),
          rules: [SteeringRule([.incoming(lan)], [.jump(chain: "steer")], comment: "LAN")]),
        SteeringChain(name: "steer", rules: steer),
        SteeringChain(
          name: "own", hook: .init(kind: .route, point: .output, priority: -150),
          rules: own),
        SteeringChain(name: "arrive", hook: .init(kind: .filter, point: .input, priority: -150), rules: []),
        SteeringChain(name: "pass", hook: .init(kind: .filter, point: .forward, priority: -150), rules: pass),
        SteeringChain(
          name: "leave", hook: .init(kind: .nat, point: .postrouting, priority: 100),
          rules: [
            SteeringRule([.outgoing(wan), .mark(mark, mask)], [.masquerade], comment: "by wan0"),
            SteeringRule([.ipv4, .outgoing(lan)], [.translate(to: hub)], comment: "by another address"),
          ]),
        SteeringChain(name: "bind_wan0", rules: [SteeringRule([], [.setConnectionMark(mark, mask)])]),
        SteeringChain(name: "bind_/0x12000000", rules: [SteeringRule([], [.count, .drop])]),
        SteeringChain(
          name: "own_errors", hook: .init(kind: .filter, point: .output, priority: -140), rules: errors),
      ])
  }

  func steeringForms() throws {
    let table = try sampleSteering()
    try apply([.replaceSteering(table)])
    try expect(try read(expecting: table).steering, is: table, "steering")
  }

  func steeringReplaced() throws {
    let table = try sampleSteering()
    var smaller = table
    smaller.chains.removeAll { $0.name == "pass" || $0.name == "leave" }
    smaller.maps = [
      SteeringMap(name: "way_of", kind: .mark, elements: Array(table.maps[1].elements.dropFirst()))
    ]
    smaller.sets[1].ranges = [try Sample.range("172.16.0.0/12")]
    try apply([.replaceSteering(table), .replaceSteering(table), .replaceSteering(smaller)])
    try expect(try read(expecting: smaller).steering, is: smaller, "steering")
    try apply([.deleteSteering(table: table.name), .deleteSteering(table: table.name)])
    try expect(try read(expecting: smaller).steering, is: nil, "steering")
  }

  func jumpNowhere() throws {
    let table = try sampleSteering()
    var broken = table
    broken.chains[0].rules.append(SteeringRule([], [.jump(chain: "nowhere")]))
    try apply([.replaceSteering(table)])
    try expect(.replaceSteering(broken), failsWith: ENOENT)
    try expect(try read(expecting: table).steering, is: table, "steering after the refusal")
  }

  func decryptionAtOutput() throws {
    let table = try sampleSteering()
    let asks = [
      SteeringRule([.wasEncrypted(false)], [.count]), SteeringRule([.slave(try Sample.device("lan0"))], [.count]),
    ]
    for (ask, chain, isRefused) in [
      (0, "classify", false), (0, "steer", false), (0, "own", true), (0, "leave", true),
      (1, "steer", true), (1, "arrive", false), (1, "pass", false), (1, "leave", true),
    ] {
      var asking = table
      guard let index = asking.chains.firstIndex(where: { $0.name == chain }) else { throw ContractBreach(chain) }
      asking.chains[index].rules.append(asks[ask])
      if isRefused {
        try expect(.replaceSteering(asking), failsWith: EOPNOTSUPP)
      } else {
        try apply([.replaceSteering(asking)])
        try expect(try read(expecting: asking).steering, is: asking, "steering")
      }
    }
    for leads in [SteeringRule.Action.jump(chain: "steer"), .choose(by: .outgoing, map: "nothing")] {
      var jumping = try leading(table, to: "steer")
      jumping.chains[1].rules.append(asks[0])
      jumping.chains[2].rules.append(SteeringRule([], [leads]))
      try expect(.replaceSteering(jumping), failsWith: EOPNOTSUPP)
    }
  }

  func lookupNowhere() throws {
    var broken = try sampleSteering()
    broken.sets.removeLast()
    try expect(.replaceSteering(broken), failsWith: ENOENT)
    try expect(try read().steering, is: nil, "steering after the refusal")
  }

  func choiceNowhere() throws {
    var broken = try sampleSteering()
    broken.maps.removeAll { $0.name == "way_of" }
    try expect(.replaceSteering(broken), failsWith: ENOENT)
    try expect(try read().steering, is: nil, "steering after the refusal")
  }

  func mapNowhere() throws {
    let table = try sampleSteering()
    try apply([.replaceSteering(table)])
    try expect(.replaceSteering(try leading(table, to: "nowhere")), failsWith: ENOENT)
    try expect(try read(expecting: table).steering, is: table, "steering after the refusal")
  }

  func mapToBaseChain() throws {
    let table = try sampleSteering()
    try apply([.replaceSteering(table)])
    try expect(.replaceSteering(try leading(table, to: "pass")), failsWith: EOPNOTSUPP)
    try expect(try read(expecting: table).steering, is: table, "steering after the refusal")
  }

  private func leading(_ table: SteeringTable, to chain: String) throws -> SteeringTable {
    var leading = table
    leading.maps[2] = SteeringMap(
      name: "nothing", kind: .device, elements: [.init(.device(try Sample.device("lan0")), .jump(chain: chain))])
    return leading
  }

  func setsChange() throws {
    var table = try sampleSteering()
    let (old, new) = (try Sample.range("10.0.0.0/8"), try Sample.range("10.0.0.0/9"))
    let more = try Sample.range("203.0.113.0/24")
    try apply([.replaceSteering(table)])
    let change = SetChange(set: "direct", remove: [old], add: [new, more])
    try apply([.changeSets(table: table.name, [change]), .changeSets(table: table.name, [change])])
    table.sets[0].ranges = (table.sets[0].ranges.filter { $0 != old } + [new, more])
      .sorted { $0.lowerBound < $1.lowerBound }
    try expect(try read(expecting: table).steering, is: table, "steering")
  }

  func unexpectedRule() throws {
    let table = try sampleSteering()
    try apply([.replaceSteering(table)])
    var expected = table
    expected.chains[4].rules.removeFirst()
    let rules = try read(expecting: expected).steering?.chains[4].rules ?? []
    try expect(rules.count, is: table.chains[4].rules.count, "rules")
    try expect(rules[0].unrecognised?.isEmpty == false, "the rule comes as \(rules[0])")
    try expect(rules[0].comment, is: "guard", "its comment")
    try expect(Array(rules[1...]), is: expected.chains[4].rules, "the other rules")
  }
}
