import Agent
import Core
import Fakes
import Glibc
import KernelGrounds
import Netlink
internal import RuleSets
import Synchronization
import System
import Testing

/// As much as a rule set may hold, on the kernel at hand.
@Suite("Sets too large for one transaction")
struct LargeTableTests {
  /// No two are adjacent.
  private func hosts(_ count: Int, shift: UInt32 = 0) -> [ClosedRange<UInt32>] {
    (0..<UInt32(count)).map { number in
      let address: UInt32 = 0x1400_0000 + number * 4 + shift
      return address...address
    }
  }

  private func sample(_ ground: RealGround, direct: Int, shift: UInt32 = 0) throws -> NftTable {
    var table = try ground.sampleNftTable()
    table.sets[0].ranges = hosts(direct, shift: shift)
    return table
  }

  private func generation() throws -> UInt32 {
    var socket = try NetfilterSocket.open()
    return try socket.generation()
  }

  @Test("are written in many bounded transactions, and changed a little in one")
  func bounded() throws {
    try RealGround.with { ground in
      let most = RuleSetBounds.prefixes / 4
      let before = try generation()
      var table = try sample(ground, direct: most)
      try ground.kernel.apply(.replaceNftTable(table))
      let written = try generation()
      #expect(written - before >= most / SetSweep.rangesPerTransaction)
      #expect(try ground.kernel.read(expecting: table).nftTable == table)
      table.sets[0].ranges += [0x3000_0000...0x3000_0001]
      table.chains[1].rules.removeLast()
      try ground.kernel.apply(.replaceNftTable(table))
      #expect(try generation() == written + 1, "a large set that stays is not written again")
      #expect(try ground.kernel.read(expecting: table).nftTable == table)
    }
  }

  @Test("and their table, made dormant by another program, wake up again")
  func dormant() throws {
    try RealGround.with { ground in
      let table = try sample(ground, direct: 3000)
      try ground.kernel.apply(.replaceNftTable(table))
      try ground.shell("nft 'add table inet backhaul { flags dormant; }'")
      #expect(
        try ground.lines("nft list tables inet; nft list table inet backhaul").contains { $0.contains("dormant") })
      try ground.kernel.apply(.replaceNftTable(table))
      #expect(try !ground.lines("nft list table inet backhaul").contains { $0.contains("dormant") })
      #expect(try ground.kernel.read(expecting: table).nftTable == table)
    }
  }

  /// Another program that changes nftables as fast as it can, in the caller's namespace.
  private func underChurn(_ ground: RealGround, _ body: () throws -> Void) throws {
    try ground.shell(
      """
      { while :; do echo add table inet churn; echo delete table inet churn; done | nft -i & } \\
        >/dev/null 2>&1 && echo $! > \(ground.stateDirectory)/router-churn
      """)
    let before = try generation()
    for _ in 0..<500 where try generation() < before + 10 { usleep(10_000) }
    #expect(try generation() >= before + 10, "nobody changes anything")
    defer { try? ground.shell("kill -KILL $(cat \(ground.stateDirectory)/router-churn)") }
    try body()
  }

  @Test("are read and written while other programs keep changing nftables")
  func churn() throws {
    try RealGround.with { ground in
      let table = try sample(ground, direct: 20_000)
      try underChurn(ground) {
        try ground.kernel.apply(.replaceNftTable(table))
        #expect(try ground.kernel.read(expecting: table).nftTable == table)
        // Some go, and then nearly all are others: pieces, and a new set.
        for other in [try sample(ground, direct: 17_000), try sample(ground, direct: 15_000, shift: 2)] {
          let present = try ground.kernel.read(expecting: other).nftTable
          for step in Planner.plan(desired: DesiredState(nftTable: other), actual: ActualState(nftTable: present)).steps
          {
            try ground.kernel.apply(step)
          }
          let now = try #require(try ground.kernel.read(expecting: other).nftTable)
          #expect(Planner.plan(desired: DesiredState(nftTable: other), actual: ActualState(nftTable: now)).isEmpty)
        }
      }
    }
  }

  @Test("and everything else are read and written while devices come and go")
  func deviceChurn() throws {
    try RealGround.with { ground in
      // Enough that no dump of them finishes between two changes.
      try ground.shell(
        """
        for number in $(seq 300); do echo link add many$number type bridge; done | ip -batch -
        { while :; do echo link add churn type bridge; echo link del churn; done | ip -force -batch - & } \\
          >/dev/null 2>&1 && echo $! > \(ground.stateDirectory)/router-churn
        """)
      defer { try? ground.shell("kill -KILL $(cat \(ground.stateDirectory)/router-churn)") }
      let many = try #require(InterfaceName("many300"))
      for _ in 0..<50 { #expect(try ground.kernel.read(expecting: nil).links[many] != nil) }
    }
  }

  /// What was told so far.
  private final class Told: Sendable {
    private let events = Mutex<[KernelEvent]>([])
    func note(_ event: KernelEvent) { events.withLock { $0.append(event) } }
    func clear() { events.withLock { $0 = [] } }
    func waits(for event: KernelEvent) -> Bool {
      for _ in 0..<1_000 {
        if events.withLock({ $0.contains(event) }) { return true }
        usleep(10_000)
      }
      return false
    }
    var all: [KernelEvent] { events.withLock { $0 } }
  }

  @Test("cause no event while we write them, but another program's later change does")
  func news() throws {
    try RealGround.with { ground in
      let reactor = try Reactor(name: "events")
      defer { reactor.stop() }
      let told = Told()
      try LinuxKernelEvents(ground.ranges, own: ground.ports, news: ground.news).start(on: reactor) { told.note($0) }
      // The subscription is made on the loop.
      try ground.shell("ip rule add priority 9298 lookup main")
      #expect(told.waits(for: .ours("ip rule 9298")))
      told.clear()
      try ground.kernel.apply(.replaceNftTable(try sample(ground, direct: 20_000)))
      try ground.shell("ip rule add priority 9299 lookup main")
      #expect(told.waits(for: .ours("ip rule 9299")))
      #expect(told.all == [.ours("ip rule 9299")])
      try ground.shell("nft flush table inet backhaul")
      #expect(told.waits(for: .ours("nft table inet backhaul")))
    }
  }

  @Test("written while another program changed nftables are reported so, whether the change was seen or not")
  func missed() throws {
    try RealGround.with { ground in
      let reactor = try Reactor(name: "events")
      defer { reactor.stop() }
      let told = Told()
      try LinuxKernelEvents(ground.ranges, own: ground.ports, news: ground.news).start(on: reactor) { told.note($0) }
      try ground.shell("ip rule add priority 9298 lookup main")
      #expect(told.waits(for: .ours("ip rule 9298")))
      told.clear()
      try underChurn(ground) {
        for shift in UInt32(0)..<3 {
          try ground.kernel.apply(.replaceNftTable(try sample(ground, direct: 20_000, shift: shift)))
        }
        #expect(told.waits(for: .ours("nft table inet backhaul")))
      }
    }
  }
}
