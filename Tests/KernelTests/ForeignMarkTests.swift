import Agent
import Core
import Fakes
import Glibc
import KernelGrounds
import Testing

@Suite("Marks that iptables(8) writes")
struct ForeignMarkTests {
  /// `mangle PREROUTING 0xff`, `c` where it is the connection's.
  private func told(_ ground: RealGround) throws -> [String] {
    try ground.foreign.foreign().marks.map {
      ($0.isLegacy ? "legacy " : "") + "\($0.table) \($0.chain) \(hexadecimal($0.bits))"
        + ($0.isConnections ? " c" : "")
    }
  }

  private func add(_ iptables: String, _ ground: RealGround) throws {
    try ground.shell(
      """
      \(iptables) -t mangle -N mine
      \(iptables) -t mangle -A PREROUTING -s 192.0.2.1 -m mark --mark 0x100000/0xff00000 -j ACCEPT
      \(iptables) -t mangle -A PREROUTING -p tcp -m tcp --dport 5 -j MARK --set-xmark 0x100000/0xff00000
      \(iptables) -t mangle -A mine -j MARK --or-mark 0x3
      \(iptables) -t mangle -A FORWARD -j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xf00
      \(iptables) -t mangle -A POSTROUTING -j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xf00
      \(iptables) -t mangle -A INPUT -j CONNMARK --set-xmark 0x5/0xff
      """)
  }
  private let chains = [
    "PREROUTING 0xff00000", "INPUT 0xff c", "FORWARD 0xff0", "POSTROUTING 0xff0 c", "mine 0x3",
  ]

  @Test("in nftables")
  func nftables() throws {
    try RealGround.with { ground in
      try add("iptables-nft", ground)
      #expect(try Set(told(ground)) == Set(chains.map { "ip mangle \($0)" }))
      try ground.shell("iptables-nft -t mangle -F")
      #expect(try told(ground) == [])
    }
  }

  /// Newer kernels may lack it; then there are none to report.
  @Test("in its own tables")
  func legacy() throws {
    try RealGround.with { ground in
      let hasThem = (try? ground.shell("iptables-legacy -t mangle -S >/dev/null 2>&1")) != nil
      #expect(try told(ground) == [])
      guard hasThem else { return }
      try add("iptables-legacy", ground)
      #expect(try told(ground) == chains.map { "legacy mangle \($0)" })
      try ground.shell("iptables-legacy -t mangle -F")
      #expect(try told(ground) == [])
    }
  }
}
