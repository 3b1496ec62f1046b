internal import Fakes
internal import RuleSets
import Testing

@testable import Core

/// The table that is there becomes the one that is wanted, in place.
@Suite struct NftChangeTests {
  private func table(_ ruleSet: RuleSet) throws -> NftTable {
    try #require(Branch.compiler(ruleSet).compile().nftTable)
  }

  private func rule(_ comment: String) -> NftRule { NftRule([.ipv4], [.count], comment: comment) }

  private func chain(_ names: [String]) -> NftTable {
    NftTable(name: "backhaul", sets: [], chains: [NftChain(name: "steer", rules: names.map(rule))])
  }

  /// The change from one to the other, for a kernel that has the first.
  private func edits(_ old: NftTable, _ new: NftTable) throws -> [NftEdit] {
    try #require(NftChange(from: FakeNftTable(old).table, to: new)).edits
  }

  @Test func oneRuleMoreIsOneRule() throws {
    let many = (0..<200).map { "rule \($0)" }
    var more = many
    more.insert("another", at: 100)
    #expect(
      try edits(chain(many), chain(more)) == [.addRule(rule("another"), chain: "steer", before: NftHandle(101))])
    #expect(try edits(chain(more), chain(many)) == [.deleteRule(chain: "steer", NftHandle(101))])
    #expect(
      try edits(chain(many), chain(many + ["another"])) == [.addRule(rule("another"), chain: "steer", before: nil)])
  }

  @Test func aRuleThatMovesIsTheOneThatIsRecreated() throws {
    #expect(
      try edits(chain(["a", "b", "c", "d", "e"]), chain(["b", "c", "d", "a", "e"])) == [
        .deleteRule(chain: "steer", NftHandle(1)), .addRule(rule("a"), chain: "steer", before: NftHandle(5)),
      ])
  }

  /// What has no known number is not deleted by number.
  @Test func aChainWhoseRulesHaveNoNumbersIsWrittenAgain() throws {
    let hook = NftChain.Hook(kind: .filter, point: .forward, priority: -150)
    for (isHooked, edits) in [
      (true, [NftEdit.flushChain("steer"), .putChain("steer", hook)]),
      (false, [.flushChain("steer"), .deleteChain("steer"), .putChain("steer", nil)]),
    ] {
      var wanted = chain(["a", "b"])
      wanted.chains[0].hook = isHooked ? hook : nil
      var present = try FakeNftTable(wanted).table
      present.chains[0].rules.append(NftRule([], [], unrecognised: "policy drop"))
      present.chains[0].handles.append(nil)
      let change = try #require(NftChange(from: present, to: wanted))
      #expect(change.edits == edits + ["a", "b"].map { .addRule(rule($0), chain: "steer", before: nil) })
    }
    // Their numbers in the kernel are unknown.
    var unknown = chain(["a", "b"])
    unknown.chains[0].handles = []
    let change = try #require(NftChange(from: unknown, to: chain(["a"])))
    #expect(
      change.edits == [.flushChain("steer"), .putChain("steer", nil), .addRule(rule("a"), chain: "steer", before: nil)])
  }

  @Test func whatCannotBeChangedInPlaceIsPutWhole() throws {
    let table = chain(["a"])
    var other = table
    other.flags = 1
    #expect(NftChange(from: other, to: table) == nil, "it does nothing")
    other = table
    other.name = "another"
    #expect(NftChange(from: other, to: table) == nil)
    other = table
    other.sets = [NftSet(name: "direct (with other elements)", ranges: [])]
    #expect(NftChange(from: other, to: table) == nil)
    let plan = Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: other))
    #expect(plan.steps == [.replaceNftTable(table)])
  }

  /// A map is of one kind for life, so another takes its name.
  @Test func aMapOfAnotherKindIsMadeAnewWithTheRulesThatAskIt() throws {
    let asking = NftRule([.ipv4], [.choose(by: .incoming, map: "ways")])
    var devices = chain(["a"])
    devices.chains.append(NftChain(name: "pass", rules: [asking, rule("b")]))
    let lan: InterfaceName = "lan0"
    devices.maps = [NftMap(name: "ways", kind: .device, elements: [.init(.device(lan), .goto(chain: "steer"))])]
    var boxes = devices
    let element = NftMap.Element(.box(PacketBox([.turn(0), .any(.source)])), .goto(chain: "steer"))
    boxes.maps = [NftMap(name: "ways", kind: .boxes([.turn, .source]), elements: [element])]
    boxes.chains[1].rules[0].actions = [.choose(by: .fields([.turn, .source]), map: "ways")]
    #expect(
      try edits(devices, boxes) == [
        .deleteRule(chain: "pass", NftHandle(2)), .removeElements(devices.maps[0]), .deleteMap("ways"),
        .addMap("ways", boxes.maps[0].kind), .addElements(boxes.maps[0]),
        .addRule(boxes.chains[1].rules[0], chain: "pass", before: NftHandle(3)),
      ])
    // Even where the rule itself is the same.
    boxes.chains[1].rules[0] = asking
    #expect(
      try edits(devices, boxes).contains(.addRule(asking, chain: "pass", before: NftHandle(3))))
  }

  /// As an operator would type it.
  @Test func text() throws {
    let mark = Mark(value: 0x100_0000)
    var old = chain(["a", "b"])
    old.sets = [NftSet(name: "direct", ranges: [0...0])]
    old.chains.append(NftChain(name: "gone", rules: [rule("c")]))
    var new = chain(["new", "b", "last"])
    new.counters = ["office"]
    new.sets = [NftSet(name: "direct", ranges: [1...1]), .fed("domain_cdn")]
    new.maps = [NftMap(name: "ways", kind: .mark, elements: [.init(.mark(mark), .goto(chain: "steer"))])]
    new.chains.append(NftChain(name: "pass", hook: .init(kind: .filter, point: .forward, priority: -150), rules: []))
    let step = Step.changeNftTable(try #require(NftChange(from: try FakeNftTable(old).table, to: new)))
    #expect(
      PlanText().lines(step) == [
        "nft -f - <<'EOF'", "flush chain inet backhaul gone", "delete rule inet backhaul steer handle 1",
        "delete chain inet backhaul gone", "add counter inet backhaul office",
        "add set inet backhaul domain_cdn { type ipv4_addr; size 65536; timeout 1d; }",
        "add map inet backhaul ways { type mark : verdict; }",
        "add chain inet backhaul pass { type filter hook forward priority mangle; policy accept; }",
        "delete element inet backhaul direct { 0.0.0.0 }", "add element inet backhaul direct { 0.0.0.1 }",
        "add element inet backhaul ways { 0x01000000 : goto steer }",
        "insert rule inet backhaul steer handle 2 meta nfproto ipv4 counter comment \"new\"",
        "add rule inet backhaul steer meta nfproto ipv4 counter comment \"last\"", "EOF",
      ])
  }

  @Test func whatOthersFillIsNeverPlanned() throws {
    var table = chain(["a"])
    table.sets = [.fed("domain_cdn")]
    #expect(Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: table)).isEmpty)
    // A set of ranges is another, whatever its name.
    var ranged = table
    ranged.sets = [NftSet(name: "domain_cdn", ranges: [1...1])]
    #expect(
      Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: ranged)).steps
        == [.replaceNftTable(table)])
    #expect(
      Difference.all(
        desired: DesiredState(nftTable: table), actual: ActualState(nftTable: table), remembered: [:],
        ranges: KernelRanges(), active: [:]
      ).isEmpty)
  }

  /// A rule set's own tables: another rule set's counters survive where the rules do.
  @Test func anotherBackhaulRuleLeavesTheCountersOfTheOthers() throws {
    var more = Branch.ruleSet(rules: [Branch.office])
    let before = try table(more)
    var guests = Branch.office
    guests.name = "guests"
    guests.egress.name = "guests"
    guests.sources = Sources(prefixes: ["192.168.20.0/24"])
    more.backhaulRules.append(guests)
    let change = try #require(NftChange(from: FakeNftTable(before).table, to: try table(more)))
    let touched = change.edits.compactMap { edit -> String? in
      switch edit {
      case .flushChain(let chain), .deleteChain(let chain), .deleteRule(let chain, _): chain
      default: nil
      }
    }
    #expect(touched.isEmpty, "\(touched)")
  }

  // MARK: By chance

  @Test func theRealOneHasNoFlaw() {
    for number in 0..<1500 {
      let flaw = ChangeTrial(seed: 20_261_130 &+ UInt64(number)).flaw { NftChange(from: $0, to: $1, room: $2) }
      #expect(flaw == nil, "seed \(number)")
    }
  }

  /// A mutant that no trial catches would show that the trials are too weak.
  @Test(arguments: MutantChange.allCases) func isFoundOut(_ mutant: MutantChange) {
    let found = (0..<1500).first { number in
      ChangeTrial(seed: 20_261_130 &+ UInt64(number)).flaw(of: mutant.change) != nil
    }
    #expect(found != nil, "\(mutant) passes every trial")
  }
}
