import Agent
import Core
import Fakes
import KernelGrounds
import Testing

@Suite("Our table and nft(8)")
struct SteeringReloadTests {
  @Test("what nft lists, nft loads again: a saved rule set comes up at boot")
  func reload() throws {
    try RealGround.with { ground in
      let table = try ground.sampleSteering()
      try ground.kernel.apply(.replaceSteering(table))
      let listed = try ground.lines("nft -s list table inet \(table.name)").map { $0.drop { $0 == "\t" } }
      for rule in table.chains.flatMap(\.rules) {
        #expect(listed.contains { $0 == rule.text }, "nft writes it otherwise: \(rule.text)")
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
      #expect(try ground.kernel.read(expecting: table).steering == table)
    }
  }
}
