internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Who decides about connections, as far as their entries tell, and which of them a change of rules concerns.
@Suite struct FlowOwnersTests {
  private struct Dice {
    var random: SeededRandom

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }
    mutating func some<Value>(_ values: [Value]) -> [Value] { roll(2) == 0 ? [] : values.filter { _ in roll(2) == 0 } }

    mutating func rule(_ number: Int, isTold: Bool) -> SteeringRule? {
      var match = SteeringMatch(
        sources: some(["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"]), destinations: some(["8.8.8.0/24", "8.8.8.8/32"]),
        protocols: some([.tcp, .udp]))
      if !match.protocols.isEmpty { match.ports = some([PortRange(80, 80), PortRange(81, 90)].compactMap(\.self)) }
      if !isTold, roll(3) == 0 { match.dscp = [DSCP.unmarked] }
      let actions: [SteeringRule.Action] = [.direct, .drop, .egress("one"), .egress("two")]
      return Name("s\(number)").map { SteeringRule(name: $0, match: match, action: actions[roll(4)]) }
    }

    mutating func rules(isTold: Bool = false) -> [SteeringRule] {
      (0..<roll(8)).compactMap { rule($0, isTold: isTold) }
    }

    /// Some go, some come, some say something else, some stand elsewhere.
    mutating func changed(_ rules: [SteeringRule]) -> [SteeringRule] {
      var rules = rules
      for number in 0..<roll(4) {
        let place = roll(rules.count + 1)
        switch roll(4) {
        case 0 where place < rules.count: rules.remove(at: place)
        case 1 where place < rules.count:
          if let other = rule(100 + number, isTold: false) { rules[place].match = other.match }
        case 2 where place < rules.count: rules.insert(rules.remove(at: place), at: roll(rules.count + 1))
        default: if let new = rule(200 + number, isTold: false) { rules.insert(new, at: place) }
        }
      }
      return rules
    }

    mutating func flow() -> FlowTuple {
      let number = [ProtocolNumber.tcp, .udp, .icmp][roll(3)]
      return FlowTuple(
        source: ["10.1.2.3", "10.2.2.3", "192.0.2.1", "172.16.0.1"][roll(4)],
        destination: ["8.8.8.8", "8.8.8.9", "1.1.1.1", "203.0.113.9"][roll(4)], protocol: number,
        port: number.hasPorts ? [79, 80, 85][roll(3)] : nil)
    }
  }

  private static let mask = KernelRanges().markMask

  private static func owners(_ rules: [SteeringRule]) -> FlowOwners {
    FlowOwners(
      WatchPlan(
        paths: [], uplinks: [], rules: [], steering: rules, directDestinations: ["203.0.113.0/24"], mask: mask))
  }

  @Test("where entries tell all, the first rule that takes a flow decides")
  func first() {
    var dice = Dice(random: SeededRandom(seed: 20_261_202))
    for _ in 0..<300 {
      let rules = dice.rules(isTold: true)
      let owners = Self.owners(rules)
      for _ in 0..<20 {
        let flow = dice.flow()
        let packet = SteeredPacket(
          source: flow.source, destination: flow.destination, lan: "lan0", protocol: flow.protocol, port: flow.port,
          dscp: .unmarked)
        let found = owners.candidates(for: flow)
        guard flow.destination != "203.0.113.9" else {
          #expect(found.map(\.owner) == [.direct])
          continue
        }
        let expected: FlowOwners.Owner? =
          switch SteeringVerdict.rule(of: rules, for: packet)?.action {
          case .egress(let name)?: .egress(name)
          case .direct?: .direct
          case .drop?: .nowhere
          case nil: nil
          }
        #expect(found.map(\.owner) == (expected.map { [$0] } ?? []) && found.allSatisfy { $0.unknown == nil })
      }
    }
  }

  @Test("a change concerns the flows whose candidates differ, and no others")
  func change() {
    var dice = Dice(random: SeededRandom(seed: 20_261_203))
    var (concerned, left) = (0, 0)
    for _ in 0..<500 {
      let before = dice.rules()
      let (old, new) = (Self.owners(before), Self.owners(dice.changed(before)))
      let change = FlowChange(from: old, to: new)
      for _ in 0..<20 {
        let flow = dice.flow()
        let differs = old.candidates(for: flow) != new.candidates(for: flow)
        #expect(change.concerns(flow) == differs, "\(flow)")
        if differs { concerned += 1 } else { left += 1 }
      }
    }
    #expect(concerned > 500 && left > 500, "\(concerned), \(left)")
  }

  @Test("a flow of one egress is not the other's with the same source, unless it may be")
  func twoEgresses() throws {
    let port = try #require(PortRange(80, 80))
    var rule = SteeringRule(
      name: "web", match: SteeringMatch(protocols: [.tcp], ports: [port]), action: .egress("one"))
    let rest = SteeringRule(name: "rest", match: SteeringMatch(sources: ["10.0.0.0/8"]), action: .egress("two"))
    let web = FlowTuple(source: "10.1.2.3", destination: "1.1.1.1", protocol: .tcp, port: 80)
    let other = FlowTuple(source: "10.1.2.3", destination: "1.1.1.1", protocol: .udp, port: 80)
    func isOf(_ egress: Name, _ flow: FlowTuple) -> Bool {
      FlowFilter.of(egress, Self.owners([rule, rest])).takes(flow)
    }
    #expect(isOf("one", web) && !isOf("two", web))
    #expect(!isOf("one", other) && isOf("two", other))
    rule.match.macs = [try #require(MACAddress(value: 1))]
    #expect(isOf("one", web) && isOf("two", web), "the entry does not tell whose it is")
    #expect(isOf("one", FlowTuple(source: "192.0.2.1", destination: "1.1.1.1", protocol: .icmp)), "nobody's")
  }
}
