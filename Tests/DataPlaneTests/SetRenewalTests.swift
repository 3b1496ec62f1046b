internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// When new sets take the place of old ones, and when those change piece by piece.
@Suite struct SetRenewalTests {
  /// This many addresses, no two adjacent.
  private func hosts(_ count: Int, shift: UInt32 = 0) -> [ClosedRange<UInt32>] {
    (0..<UInt32(count)).map { number in
      let address: UInt32 = 0x1400_0000 + number * 4 + shift
      return address...address
    }
  }

  private func table(_ direct: [ClosedRange<UInt32>], source: [ClosedRange<UInt32>] = []) -> NftTable {
    NftTable(
      name: "backhaul",
      sets: [
        NftSet(name: "direct", ranges: direct), NftSet(name: "source_office", ranges: source), .fed("learnt"),
      ],
      chains: [
        NftChain(
          name: "steer",
          rules: [
            NftRule([.ipv4, .destinationIn(set: "direct")], [.count, .return]),
            NftRule([.ipv4, .sourceIn(set: "source_office")], [.return]),
          ])
      ])
  }

  private func steps(_ present: NftTable, _ wanted: NftTable) -> [Step] {
    Planner.plan(desired: DesiredState(nftTable: wanted), actual: ActualState(nftTable: present)).steps
  }

  private func renewal(_ steps: [Step]) -> SetRenewal? {
    if case .renewSets("backhaul", let renewal)? = steps.first, steps.count == 1 { renewal } else { nil }
  }

  @Test func whatGoesNearlyWholeIsWrittenAnew() {
    let (many, few) = (table(hosts(50_000)), table(hosts(3)))
    #expect(renewal(steps(many, few)) == SetRenewal(sets: [few.sets[0]]))
    let others = table(hosts(50_000, shift: 2))
    #expect(renewal(steps(many, others)) == SetRenewal(sets: [others.sets[0]]), "all are others")
    #expect(renewal(steps(many, table([]))) == SetRenewal(sets: [NftSet(name: "direct", ranges: [])]))
  }

  /// No more than a thousand ranges each, see `SetSweep`.
  @Test func whatStaysForTheMostPartChangesInPieces() {
    let many = table(hosts(50_000))
    for (wanted, pieces) in [(hosts(40_000), 10), (hosts(60_000), 10), (hosts(50_000) + [0...1], 1)] {
      let steps = steps(many, table(wanted.sorted { $0.lowerBound < $1.lowerBound }))
      let changes = steps.filter { if case .changeSets = $0 { true } else { false } }
      #expect(changes.count == pieces && steps.count == pieces)
    }
    let come = steps(table(hosts(1)), many)
    #expect(come.count == 50 && renewal(come) == nil, "what comes is written once either way")
    #expect(steps(table(hosts(900)), table([])).count == 1, "one transaction has room for it")
    #expect(renewal(steps(table(hosts(900)), table([]))) == nil)
  }

  /// An address that moves from one set to another is never in neither.
  @Test func smallChangesOfOthersGoAlong() {
    let (before, after) = (table(hosts(5000), source: hosts(4)), table(hosts(2), source: hosts(6)))
    let renewal = renewal(steps(before, after))
    #expect(renewal?.sets == [after.sets[0]])
    #expect(renewal?.changes == [SetChange(from: hosts(4), to: after.sets[1])])
    #expect(renewal?.names == ["direct", "source_office"])
  }

  @Test func withAnotherRuleItIsOneChange() {
    var other = table(hosts(2))
    other.chains[0].rules.append(NftRule([.ipv4], [.count]))
    #expect(renewal(steps(table(hosts(5000)), other)) == nil)
  }

  @Test func whoseConnectionsAreSetUpAgain() {
    let sources: [ClosedRange<UInt32>] = [10...20, 30...40]
    func early(_ renewal: SetRenewal, former: [ClosedRange<UInt32>]?) -> [ClosedRange<UInt32>] {
      NewlySteered.sources(after: [.renewSets(table: "backhaul", renewal)], of: sources, former: former)
    }
    #expect(early(SetRenewal(sets: [NftSet(name: "direct", ranges: [1...2])]), former: nil) == [])
    let renewal = SetRenewal(sets: [NftSet(name: "source_office", ranges: sources)])
    #expect(early(renewal, former: [0...14]) == [15...20, 30...40])
    #expect(early(renewal, former: nil) == sources)
    let along = SetChange(set: "source_office", remove: [], add: [30...40])
    #expect(early(SetRenewal(sets: [], changes: [along]), former: [10...20]) == [30...40])
  }

  @Test func differencesAreToldOnce() {
    let (many, few) = (table(hosts(50_000)), table(hosts(3)))
    let told = Difference.all(
      desired: DesiredState(nftTable: few), actual: ActualState(nftTable: many), remembered: [:],
      ranges: KernelRanges(),
      active: [:])
    #expect(told.map(\.kind) == [.superfluous] && told[0].object.contains(" direct "), "\(told.map(\.object))")
  }

  @Test func textIsWhatNftTakes() {
    let renewal = SetRenewal(
      sets: [NftSet(name: "direct", ranges: [1...1])],
      changes: [SetChange(set: "source_office", remove: [2...2], add: [])])
    let lines = PlanText(KernelRanges()).lines(.renewSets(table: "backhaul", renewal))
    #expect(
      lines == [
        "nft -f - <<'EOF'", "flush set inet backhaul direct", "add element inet backhaul direct { 0.0.0.1 }",
        "delete element inet backhaul source_office { 0.0.0.2 }", "EOF",
      ])
  }

  /// Whatever changes, the kernel holds what is wanted afterwards, in as much work as pieces would be at most.
  @Test(arguments: 0..<200) func whatIsWantedIsThere(_ seed: UInt64) throws {
    var dice = SeededRandom(seed: seed)
    func ranges() -> [ClosedRange<UInt32>] { dice.some(Array(UInt32(0)..<60)).map { $0 * 10...$0 * 10 + 1 } }
    let names = ["direct", "source_a", "source_b"].prefix(Int.random(in: 1...3, using: &dice))
    let (old, new) = (
      names.map { NftSet(name: $0, ranges: ranges()) }, names.map { NftSet(name: $0, ranges: ranges()) }
    )
    let room = Int.random(in: 0...30, using: &dice)
    guard let renewal = SetRenewal(from: old, to: new, room: room) else { return }
    #expect(renewal.changes.reduce(0) { $0 + $1.count } <= room)
    var sets = Dictionary(uniqueKeysWithValues: old.map { ($0.name, $0.ranges) })
    for set in renewal.sets { sets[set.name] = set.ranges }
    for change in renewal.changes { sets[change.set] = change.applied(to: sets[change.set] ?? []) }
    #expect(new.allSatisfy { sets[$0.name] == $0.ranges }, "seed \(seed)")
  }
}
