import Agent
import Core
import Fakes
import KernelGrounds
import Testing

@Suite("Our table and nft(8)")
struct NftReloadTests {
  @Test("what nft lists, nft loads again: a saved rule set comes up at boot")
  func reload() throws {
    try RealGround.with { ground in
      let table = try ground.sampleNftTable()
      try ground.kernel.apply(.replaceNftTable(table))
      let listed = try ground.lines("nft -s list table inet \(table.name)").map { $0.drop { $0 == "\t" } }
      for rule in table.chains.flatMap(\.rules) {
        #expect(listed.contains { $0 == rule.text }, "nft writes it otherwise: \(rule.text)")
      }
      for map in ["map bind_to {", "type ifname : verdict", "map way_of {", "type mark : verdict", "size 128"] {
        #expect(listed.contains { $0 == map }, "nft writes it otherwise: \(map)")
      }
      let before = try ground.lines("nft list ruleset")
      try ground.shell(
        """
        nft list ruleset > \(ground.stateDirectory)/saved
        nft flush ruleset
        nft -f \(ground.stateDirectory)/saved
        rm \(ground.stateDirectory)/saved
        """)
      #expect(try ground.lines("nft list ruleset") == before)
      #expect(try ground.kernel.read(expecting: table).nftTable == table)
    }
  }

  @Test(
    "what another program does to our maps is seen",
    arguments: [
      "delete element inet backhaul bind_to { \"wan0\" }",
      "add element inet backhaul bind_to { \"lan0\" : jump bind_wan0 }",
      "add element inet backhaul nothing { \"lan0\" : drop }",
      "add element inet backhaul way_of { 0x00000001 : accept }",
      "add map inet backhaul more { type ifname : verdict; }",
      "add map inet backhaul more { type inet_service : verdict; }",
      "add map inet backhaul more { type mark : mark; }",
    ])
  func drift(_ change: String) throws {
    try RealGround.with { ground in
      let table = try ground.sampleNftTable()
      try ground.kernel.apply(.replaceNftTable(table))
      #expect(try ground.kernel.read(expecting: table).nftTable == table)
      try ground.shell("nft '\(change)'")
      let changed = try ground.kernel.read(expecting: table)
      #expect(changed.nftTable != table)
      let desired = DesiredState(nftTable: table)
      let plan = Planner.plan(desired: desired, actual: ActualState(nftTable: changed.nftTable))
      #expect(plan.steps.count == 1)
      for step in plan.steps { try ground.kernel.apply(step) }
      #expect(try ground.kernel.read(expecting: table).nftTable == table)
      #expect(try !ground.lines("nft list table inet backhaul").contains { $0.contains("more") })
    }
  }
}
