import Agent
import Core
import Glibc

/// Sets that are too large for one transaction.
extension KernelGround {
  /// This many addresses, no two adjacent; different ones for a different shift.
  private func hosts(_ count: Int, shift: UInt32 = 0) -> [ClosedRange<UInt32>] {
    (0..<UInt32(count)).map { number in
      let address: UInt32 = 0x1400_0000 + number * 4 + shift
      return address...address
    }
  }

  private func table(direct: [ClosedRange<UInt32>], source: [ClosedRange<UInt32>]) throws -> NftTable {
    var table = try sampleNftTable()
    table.sets[0].ranges = direct
    table.sets[1].ranges = source
    return table
  }

  /// Another frame: a rule more.
  private func withAnotherRule(_ table: NftTable, _ comment: String) -> NftTable {
    var table = table
    table.chains[1].rules.append(NftRule([.ipv4, .sourceIn(set: "source_office")], [.count], comment: comment))
    return table
  }

  private func check(_ table: NftTable, _ what: String) throws {
    try expect(try read(expecting: table).nftTable, is: table, "steering, \(what)")
    let plan = Planner.plan(
      desired: DesiredState(nftTable: table), actual: ActualState(nftTable: try read(expecting: table).nftTable))
    try expect(plan.isEmpty, "\(what), and then there is nothing to do")
  }

  func largeNftTable() throws {
    let table = try table(direct: hosts(3500), source: hosts(1200, shift: 2))
    try apply([.replaceNftTable(table)])
    try check(table, "made")
    try apply([.replaceNftTable(table)])
    try check(table, "made again")
    try apply([.deleteNftTable(table: table.name)])
    try expect(try read(expecting: table).nftTable, is: nil, "steering")
  }

  func largeNftTableReplaced() throws {
    let first = try table(direct: hosts(2500), source: hosts(1500, shift: 2))
    let others = withAnotherRule(try table(direct: hosts(2600, shift: 1), source: hosts(1600, shift: 3)), "second")
    let back = withAnotherRule(first, "third")
    var few = withAnotherRule(try table(direct: hosts(2600, shift: 1), source: hosts(5)), "fourth")
    few.maps.removeAll { $0.name == "nothing" }
    let more = withAnotherRule(try table(direct: hosts(2610, shift: 1), source: hosts(5)), "fifth")
    let small = try sampleNftTable()
    for (number, table) in [first, others, back, few, more, small, others].enumerated() {
      try apply([.replaceNftTable(table)])
      try check(table, "number \(number)")
    }
  }

  func largeSetsChange() throws {
    let old = try table(direct: hosts(2500), source: hosts(1500, shift: 2))
    let more = try table(direct: hosts(4000), source: hosts(3000, shift: 2))
    let fewer = try table(direct: hosts(2600), source: hosts(1900, shift: 2))
    try apply([.replaceNftTable(old)])
    for table in [more, fewer] {
      let present = try read(expecting: table).nftTable
      let plan = Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: present))
      try expect(plan.steps.count > 2, "\(plan.steps.count) steps")
      for step in plan.steps {
        guard case .changeSets = step else { throw ContractBreach("\(step)") }
        try apply([step, step])
      }
      try check(table, "changed")
    }
  }

  /// More goes than stays: new sets take the place of the old ones, in rules that go on counting.
  func largeSetsRenewed() throws {
    var old = try table(direct: hosts(2500), source: hosts(1500, shift: 2))
    let counting = NftRule([.ipv4, .destinationNotIn(set: "direct")], [.count], comment: "counts")
    old.chains[2].rules.insert(counting, at: 0)
    var few = old
    few.sets[0].ranges = hosts(7, shift: 1)
    var both = old
    both.sets[0].ranges = hosts(1400, shift: 1)
    both.sets[1].ranges = hosts(1300, shift: 3)
    var one = both
    one.sets[0].ranges = hosts(3, shift: 2)
    one.sets[1].ranges.removeLast(2)
    try apply([.replaceNftTable(old)])
    try sendToItself(4)
    var counted = try sight.counted(in: ["own"]).packets["own"] ?? 0
    try expect(counted >= 4, "\(counted) packets were counted")
    for (number, table) in [few, old, both, one].enumerated() {
      let present = try read(expecting: table).nftTable
      let plan = Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: present))
      let isRenewal = if case .renewSets? = plan.steps.first { plan.steps.count == 1 } else { false }
      try expect(isRenewal || table == old, "number \(number): \(plan.steps.count) steps")
      try apply(plan.steps)
      try expectTable(table, "number \(number)")
      let now = try sight.counted(in: ["own"]).packets["own"] ?? 0
      try expect(now >= counted, "number \(number): \(now) packets, there were \(counted)")
      counted = now
    }
    var nowhere = SetRenewal(sets: [NftSet(name: "nowhere", ranges: hosts(3))])
    try expect(.renewSets(table: old.name, nowhere), failsWith: ENOENT)
    nowhere.sets[0].name = "direct"
    try expect(.renewSets(table: "nowhere", nowhere), failsWith: ENOENT)
    try expectTable(one, "after the refusals")
  }

  /// As after a kill: a set that no rule uses.
  func foreignSetGoes() throws {
    let table = try table(direct: hosts(2500), source: hosts(3))
    var left = table
    left.sets.append(NftSet(name: "direct.2", ranges: hosts(500, shift: 1)))
    try apply([.replaceNftTable(table), .changeNftTable(NftChange(to: left, by: [.addSet(left.sets[2])]))])
    let present = try read(expecting: table).nftTable
    let plan = Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: present))
    guard case .changeNftTable(let change)? = plan.steps.first, plan.steps.count == 1 else {
      throw ContractBreach("\(plan.steps)")
    }
    try expect(change.edits, is: [.deleteSet("direct.2")], "edits")
    try apply(plan.steps)
    try check(table, "without it")
  }

  /// Sets that are too large for one transaction are added, changed and deleted together with the rules that use them.
  func largeChangeInPlace() throws {
    var first = try table(direct: hosts(2500), source: hosts(3))
    first.chains[2].rules.append(NftRule([.ipv4], [.count], comment: "stays"))
    first.chains[2].rules.swapAt(0, first.chains[2].rules.count - 1)
    try apply([.replaceNftTable(first)])
    try sendToItself(4)
    let counted = try sight.counted(in: ["own"]).packets["own"] ?? 0
    try expect(counted >= 4, "\(counted) packets were counted")
    var table = withAnotherRule(first, "second")
    table.sets[0].ranges = hosts(2600, shift: 1)
    table.sets.append(NftSet(name: "source_guests", ranges: hosts(2700, shift: 2)))
    table.chains[1].rules.append(NftRule([.ipv4, .sourceIn(set: "source_guests")], [.count]))
    var back = withAnotherRule(first, "third")
    back.sets[0].ranges = hosts(4000, shift: 2)
    for (number, table) in [table, back, table, first].enumerated() {
      try changeInPlace(to: table, "number \(number)")
      let now = try sight.counted(in: ["own"]).packets["own"] ?? 0
      try expect(now >= counted, "number \(number): \(now) packets, there were \(counted)")
    }
  }
}
