internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// A small change affects few connections.
@Suite struct SmallChangeTests {
  private let plan = WatchPlan(
    paths: [], uplinks: [],
    rules: [
      WatchPlan.WatchedRule(
        rule: Branch.office, table: TableID(7902), mark: Mark(value: 1 << 24),
        sources: AddressRanges.merged(Branch.office.sources.prefixes))
    ], directDestinations: ["198.18.0.0/15"], mask: .standard)

  private func changed(_ change: (inout WatchPlan) -> Void) -> ChangedHands {
    var other = plan
    change(&other)
    return ChangedHands(from: plan, to: other)
  }

  private func range(_ text: IPv4Prefix) -> ClosedRange<UInt32> { text.range }

  @Test func whatChangesHands() {
    #expect(changed { _ in } == ChangedHands(from: plan, to: plan))
    let more = changed { $0.directDestinations = ["198.18.0.0/15", "203.0.113.0/24"] }
    #expect(more.destinations == [range("203.0.113.0/24")] && more.sources == [])
    let fewer = changed { $0.directDestinations = ["198.19.0.0/16"] }
    #expect(fewer.destinations == [range("198.18.0.0/16")])
    #expect(changed { $0.directDestinations = ["198.19.0.0/16", "198.18.0.0/16"] }.destinations == [], "as before")
    let sources = changed { $0.rules[0].rule.sources.prefixes = ["192.168.10.0/25"] }
    let prefixes = Branch.office.sources.prefixes
    #expect(sources.sources == [range("192.168.10.128/25")])
    let own = AddressRanges.merged(prefixes)
    #expect(changed { $0.rules[0].rule.sources.interfaces = ["lan7"] }.sources == own)
    #expect(changed { $0.rules = [] }.sources == own)
    #expect(changed { $0.rules[0].table = TableID(7903) }.sources == own)
  }

  /// Translated connections are lost with their entries, so untouched rules keep theirs.
  @Test func rulesThatComeGoAndChangePlacesLeaveTheOthersAlone() throws {
    func rule(_ name: Name, _ sources: Sources, _ known: IPv4Prefix, table: UInt32) -> WatchPlan.WatchedRule {
      let rule = BackhaulRule(name: name, sources: sources, paths: ["fra-a"], fallback: .localWAN)
      return WatchPlan.WatchedRule(
        rule: rule, table: TableID(table), mark: Mark(value: table << 12), sources: [known.range])
    }
    let guests = rule("guests", Sources(prefixes: ["192.168.20.0/24"]), "192.168.20.0/24", table: 7903)
    let lab = rule("lab", Sources(interfaces: ["lan5"]), "192.168.50.0/24", table: 7904)
    var before = plan
    before.rules = [plan.rules[0], guests]
    func sources(_ rules: [WatchPlan.WatchedRule]) -> [ClosedRange<UInt32>] {
      var after = before
      after.rules = rules
      return ChangedHands(from: before, to: after).sources
    }
    #expect(sources([guests, plan.rules[0]]) == [], "their order says nothing")
    #expect(sources([guests]) == [range("192.168.10.0/24")])
    var renamed = plan.rules[0]
    renamed.rule.name = "bureau"
    #expect(sources([renamed, guests]) == [range("192.168.10.0/24")])
    let more = sources([plan.rules[0], guests, lab])
    let hosts: [IPv4Address] = ["192.168.10.7", "192.168.20.7", "192.168.50.7", "10.9.9.9"]
    #expect(
      hosts.map { AddressRanges.contain($0, more) } == [false, false, true, true], "lab may have some behind a router")
  }

  @Test func whoseConnectionsAreSetUpAgain() throws {
    let table = NftTable(name: "backhaul", sets: [], chains: [])
    let sources: [ClosedRange<UInt32>] = [10...20, 30...40]
    func early(_ steps: [Step], former: [ClosedRange<UInt32>]? = sources) -> [ClosedRange<UInt32>] {
      NewlySteered.sources(after: steps, of: sources, former: former)
    }
    #expect(early([]) == [])
    #expect(early([.replaceNftTable(table)]) == sources, "it may not have been there")
    let change = Step.changeNftTable(NftChange(to: table, by: [.deleteSet("direct")]))
    #expect(early([change]) == [], "whoever is steered was so before")
    #expect(early([change], former: nil) == sources)
    #expect(early([change], former: [0...14]) == [15...20, 30...40])
    func added(_ set: String) -> Step {
      .changeSets(table: "backhaul", [SetChange(set: set, remove: [1...2], add: [31...32])])
    }
    #expect(early([added("direct")], former: nil) == [])
    #expect(early([added("source_office")]) == [31...32])
  }

  @Test(arguments: 0..<200) func ranges(_ seed: UInt64) {
    var dice = SeededRandom(seed: seed)
    func some() -> [ClosedRange<UInt32>] {
      let base: UInt32 = seed % 2 == 0 ? 0 : .max - 63
      return AddressRanges.merged(
        (0..<Int.random(in: 0...8, using: &dice)).map { _ in
          let first = UInt32.random(in: 0...60, using: &dice)
          return base + first...base + UInt32.random(in: first...63, using: &dice)
        })
    }
    let (one, other) = (some(), some())
    let left = AddressRanges.subtracting(one, from: other)
    let difference = AddressRanges.difference(one, other)
    let common = AddressRanges.common(one, other)
    for number in UInt32(0)...63 {
      for address in [IPv4Address(value: number), IPv4Address(value: .max - number)] {
        let (isInOne, isInOther) = (AddressRanges.contain(address, one), AddressRanges.contain(address, other))
        #expect(AddressRanges.contain(address, left) == (isInOther && !isInOne))
        #expect(AddressRanges.contain(address, difference) == (isInOther != isInOne))
        #expect(AddressRanges.contain(address, common) == (isInOther && isInOne))
      }
    }
    for all in [left, difference, common] {
      #expect(zip(all, all.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
    }
  }
}

@Suite struct SetChangeTests {
  @Test(arguments: 0..<200) func fromOneToTheOther(_ seed: UInt64) {
    var dice = SeededRandom(seed: seed)
    func ranges() -> [ClosedRange<UInt32>] {
      dice.some(Array(UInt32(0)..<30)).map { $0 * 10...$0 * 10 + UInt32.random(in: 0...2, using: &dice) }
    }
    let (old, new) = (ranges(), ranges())
    let change = SetChange(from: old, to: NftSet(name: "direct", ranges: new))
    #expect(Set(change.remove) == Set(old).subtracting(new) && Set(change.add) == Set(new).subtracting(old))
    #expect(change.applied(to: old) == new)
  }
}
