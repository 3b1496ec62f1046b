import Agent
import Core
import Fakes
import KernelGrounds
internal import RuleSets
import Testing

/// How our nftables matches and the kernel treat packets before and after IPsec. Needs ESP as well.
@Suite("Packets of IPsec, on the real kernel")
struct IPsecPacketTests {
  /// Where the far end's commands run, and what both ends need. The keys are no secret.
  private struct Pair {
    let ground: RealGround
    let there: String
    let wan: InterfaceName

    /// Both directions, on both ends.
    func addAssociations(_ more: String) throws {
      let keys =
        "auth-trunc 'hmac(sha256)' 0x\(String(repeating: "0a", count: 32)) 128 "
        + "enc 'cbc(aes)' 0x\(String(repeating: "0b", count: 16))"
      for prefix in ["", there] {
        for (source, destination, number) in [("192.0.2.2", "192.0.2.1", 1), ("192.0.2.1", "192.0.2.2", 2)] {
          try ground.shell(
            "\(prefix)ip xfrm state add src \(source) dst \(destination) proto esp spi 0x10\(number) reqid 1 \(keys) \(more)"
          )
        }
      }
    }

    func addPolicies(_ selector: (String, String) -> String, mode: String, _ more: String) throws {
      for (prefix, own, other) in [("", "192.0.2.2", "192.0.2.1"), (there, "192.0.2.1", "192.0.2.2")] {
        for (direction, source, destination) in [("out", own, other), ("in", other, own), ("fwd", other, own)] {
          try ground.shell(
            "\(prefix)ip xfrm policy add \(selector(source, destination)) dir \(direction) "
              + "tmpl src \(source) dst \(destination) proto esp reqid 1 mode \(mode) \(more)")
        }
      }
    }

    func put(_ chains: [NftChain]) throws {
      try ground.kernel.apply(
        .replaceNftTable(NftTable(name: ground.ranges.nftTable, sets: [], chains: chains)))
    }

    /// Packets that the rule of this comment has counted.
    func count(_ comment: String) throws -> Int {
      let lines = try ground.lines(
        "nft list table inet \(ground.ranges.nftTable) | sed -n 's/.*packets \\([0-9]*\\) .*\"\(comment)\".*/\\1/p'")
      return try #require(lines.first.flatMap { Int($0) })
    }

    /// How many of five answers come.
    func ping(_ destination: String, prefix: String = "", _ more: String = "") throws -> Int {
      let received = "sed -n 's/.* \\([0-9]*\\) received.*/\\1/p'"
      let lines = try ground.lines("\(prefix)ping -c 5 -i 0.01 -W 1 \(more) \(destination) | \(received)")
      return try #require(lines.first.flatMap { Int($0) })
    }
  }

  private func withPair(_ body: (Pair) throws -> Void) throws {
    try RealGround.with { ground in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      try ground.withRouter(try #require(IPv4Address("192.0.2.1")), at: wan, narrow: 1400) { there in
        // A device that comes up solicits IPv6 routers at any time, so there are packets that this test did not send.
        for prefix in ["", there] {
          try ground.shell(
            "\(prefix)sh -ec 'for all in all default; do echo 1 > /proc/sys/net/ipv6/conf/$all/disable_ipv6; done'")
        }
        try body(Pair(ground: ground, there: there, wan: wan))
      }
    }
  }

  private func device(_ name: InterfaceName, _ encapsulation: TunnelDevice.Encapsulation) throws -> TunnelDevice {
    TunnelDevice(
      name: name, encapsulation: encapsulation, local: try #require(IPv4Address("192.0.2.2")),
      remote: try #require(IPv4Address("192.0.2.1")), underlay: try #require(InterfaceName("wan0")),
      lookupMark: Mark(value: 0), mtu: 1400, address: InterfaceAddress("10.9.9.1/30"), peer: nil,
      alias: "\(TunnelDevice.aliasPrefix)\(name.text.dropFirst("bh-".count))")
  }

  private func make(_ device: TunnelDevice, _ ground: RealGround) throws {
    let plan = Planner.plan(desired: DesiredState(tunnels: [device]), actual: try ground.kernel.read(expecting: nil))
    for step in plan.steps { try ground.kernel.apply(step) }
  }

  private func chain(_ point: NftChain.Hook.Point, _ rules: [NftRule]) -> NftChain {
    NftChain(name: "at_\(point.rawValue)", hook: .init(kind: .filter, point: point, priority: -150), rules: rules)
  }

  @Test("a GRE packet that a policy will encrypt is told apart from one that would leave in the clear")
  func greInTransportMode() throws {
    try withPair { pair in
      let gre = try #require(InterfaceName("bh-fra"))
      try make(try device(gre, .gre(key: nil)), pair.ground)
      try pair.ground.shell(
        """
        \(pair.there)ip link add bh-hub type gre local 192.0.2.1 remote 192.0.2.2 ttl 64
        \(pair.there)ip address add 10.9.9.2/30 dev bh-hub
        \(pair.there)ip link set bh-hub up
        """)
      let isGRE: [NftRule.Match] = [.ipv4, .protocolIs(IPProtocol.gre)]
      try pair.put([
        chain(
          .output,
          [
            NftRule([.outgoing(pair.wan)] + isGRE + [.willBeEncrypted(true)], [.count], comment: "sealed"),
            NftRule([.outgoing(pair.wan)] + isGRE + [.willBeEncrypted(false)], [.count, .drop], comment: "bare"),
          ]),
        chain(
          .input,
          [
            NftRule([.incoming(pair.wan)] + isGRE + [.wasEncrypted(true)], [.count], comment: "opened"),
            NftRule([.incoming(pair.wan)] + isGRE + [.wasEncrypted(false)], [.count], comment: "plain"),
            NftRule([.incoming(gre), .wasEncrypted(true)], [.count], comment: "inner remembers"),
          ]),
      ])
      #expect(try pair.ping("10.9.9.2") == 0)
      #expect(try pair.count("bare") == 5)

      try pair.addAssociations("mode transport")
      try pair.addPolicies({ "src \($0) dst \($1) proto gre" }, mode: "transport", "")
      #expect(try pair.ping("10.9.9.2") == 5)
      #expect(try pair.count("bare") == 5)
      #expect(try pair.count("sealed") == 5)
      #expect(try pair.count("opened") == 5)
      #expect(try pair.count("plain") == 0)
      #expect(try pair.count("inner remembers") == 0, "GRE strips that from what it takes out (skb_scrub_packet)")
    }
  }

  @Test("a packet that comes by an XFRM interface is recognised, and passes a strict reverse-path check")
  func xfrmInterface() throws {
    try withPair { pair in
      let xfrm = try #require(InterfaceName("bh-fra"))
      try pair.addAssociations("mode tunnel if_id 7")
      try pair.addPolicies({ _, _ in "src 0.0.0.0/0 dst 0.0.0.0/0" }, mode: "tunnel", "if_id 7")
      try make(try device(xfrm, .xfrm(interfaceID: 7)), pair.ground)
      try pair.ground.kernel.apply(.changeSettings([InterfaceSetting(xfrm, .reversePathFilter): 1]))
      try pair.ground.shell(
        """
        ip route add default via 192.0.2.1
        \(pair.there)ip link add bh-hub type xfrm dev wan0-peer if_id 7
        \(pair.there)ip address add 10.9.9.2/30 dev bh-hub
        \(pair.there)ip link set bh-hub up
        \(pair.there)ip address add 198.18.5.5/32 dev lo
        """)
      try pair.put([
        chain(.prerouting, [NftRule([.incoming(xfrm), .wasEncrypted(true)], [.count], comment: "opened")]),
        chain(
          .input,
          [
            NftRule(
              [.incoming(xfrm), .ipv4, .sourceIs(try #require(IPv4Address("198.18.5.5")))], [.count],
              comment: "from elsewhere")
          ]),
        chain(
          .output,
          [
            NftRule([.outgoing(xfrm), .ipv4, .willBeEncrypted(false)], [.count], comment: "on its way"),
            NftRule([.outgoing(pair.wan), .ipv4, .protocolIs(IPProtocol.esp)], [.count], comment: "ESP"),
          ]),
      ])
      let before = try #require(try pair.ground.traffic.traffic()[xfrm])
      #expect(try pair.ping("10.9.9.2") == 5)
      let after = try #require(try pair.ground.traffic.traffic()[xfrm])
      #expect(try pair.count("opened") == 5)
      #expect(try pair.count("on its way") == 5)
      #expect(try pair.count("ESP") == 5)
      // Inner packets, without Ethernet or ESP: 20 and 8 bytes of headers, and 56 of ping's own.
      #expect((after.packetsOut - before.packetsOut, after.bytesOut - before.bytesOut) == (5, 5 * 84))
      #expect((after.packetsIn - before.packetsIn, after.bytesIn - before.bytesIn) == (5, 5 * 84))
      // Its way back is main's default by wan0. Every answer comes: it leaves in the clear by there.
      #expect(try pair.ping("10.9.9.1", prefix: pair.there, "-I 198.18.5.5") == 5)
      #expect(try pair.count("from elsewhere") == 5)
    }
  }
}
