internal import RuleSets
import Testing

@testable import Core

/// What rules that match addresses, protocols and IPsec do with packets.
@Suite struct EncryptionWalkTests {
  private func state(_ chains: [NftChain] = []) -> ActualState {
    var state = Branch.kernel()
    state.nftTable = NftTable(name: "backhaul", sets: [], chains: chains)
    return state
  }

  private func chain(_ point: NftChain.Hook.Point, _ rules: [NftRule]) -> NftChain {
    NftChain(name: point.rawValue, hook: .init(kind: .filter, point: point, priority: -150), rules: rules)
  }

  private let own = Packet(incoming: nil, source: "192.0.2.2", destination: "203.0.113.2")

  private func end(_ match: NftRule.Match, _ packet: Packet, at point: NftChain.Hook.Point = .output)
    -> PacketFate.End
  {
    let rule = NftRule([match], [.drop], comment: "taken")
    return PacketWalk(state([chain(point, [rule])])).fate(of: packet).end
  }

  @Test func addressesAndProtocols() {
    let taken = PacketFate.End.dropped("taken")
    var gre = own
    gre.protocolNumber = IPProtocol.gre
    #expect(end(.sourceIs("192.0.2.2"), own) == taken)
    #expect(end(.sourceIs("192.0.2.3"), own) != taken)
    #expect(end(.destinationIs("203.0.113.2"), own) == taken)
    #expect(end(.destinationIs("203.0.113.3"), own) != taken)
    #expect(end(.protocolIs(IPProtocol.gre), gre) == taken)
    #expect(end(.protocolIs(IPProtocol.ipip), gre) != taken)
    #expect(end(.protocolIs(IPProtocol.gre), own) != taken, "nobody said which it is")
    let ipv6 = Packet(
      incoming: "lan0", source: "192.0.2.2", destination: "203.0.113.2", isIPv6: true, protocolNumber: IPProtocol.gre,
      boundDevice: "wan0")
    for match: NftRule.Match in [.sourceIs("192.0.2.2"), .destinationIs("203.0.113.2"), .protocolIs(47)] {
      #expect(end(match, ipv6, at: .forward) == .left("wan0", gateway: nil), "its addresses mean nothing")
    }
  }

  @Test func whatWillBeEncryptedIsKnownFromItsRoute() {
    let taken = PacketFate.End.dropped("taken")
    var sealed = own
    sealed.willBeEncrypted = true
    #expect(end(.willBeEncrypted(true), sealed) == taken)
    #expect(end(.willBeEncrypted(false), sealed) != taken)
    #expect(end(.willBeEncrypted(false), own) == taken)
    #expect(end(.willBeEncrypted(false), own, at: .postrouting) == taken)
    var forwarded = Packet(incoming: "lan0", source: "192.168.10.7", destination: "8.8.8.8")
    for isSealed in [false, true] {
      forwarded.willBeEncrypted = isSealed
      #expect(end(.willBeEncrypted(isSealed), forwarded, at: .forward) == taken)
      for asked in [false, true] {
        #expect(end(.willBeEncrypted(asked), forwarded, at: .prerouting) != taken, "it has no route yet")
      }
    }
  }

  @Test func whatWasEncryptedPassesTheReversePathCheck() {
    var packet = Packet(incoming: "wan0", source: "10.99.0.1", destination: "192.168.10.7")
    var kernel = state()
    kernel.mainDefaults.removeAll()
    #expect(PacketWalk(kernel).fate(of: packet).end == .spoofed, "strict")
    packet.wasEncrypted = true
    #expect(PacketWalk(kernel).fate(of: packet).end == .left("lan0", gateway: nil))
    packet.source = "192.168.10.1"
    #expect(PacketWalk(kernel).fate(of: packet).end == .spoofed, "an address of the router's own is never a source")
    let taken = PacketFate.End.dropped("taken")
    #expect(end(.wasEncrypted(true), packet, at: .prerouting) == taken)
    #expect(end(.wasEncrypted(false), packet, at: .prerouting) != taken)
  }

  /// GRE in IPsec: what the tunnel sends must never leave in the clear.
  @Test func outerPacketsSayWhatTheyAre() throws {
    let guarding = NftRule(
      [.ipv4, .protocolIs(IPProtocol.gre), .destinationIs("203.0.113.2"), .willBeEncrypted(false)], [.count, .drop],
      comment: "in the clear")
    var kernel = state([chain(.output, [guarding])])
    for (name, encapsulation): (InterfaceName, TunnelDevice.Encapsulation) in [
      ("bh-gre", .gre(key: nil)), ("bh-ipip", .ipip), ("bh-xfrm", .xfrm(interfaceID: 7)),
    ] {
      let device = TunnelDevice(
        name: name, encapsulation: encapsulation, local: "192.0.2.2", remote: "203.0.113.2", underlay: "wan0",
        lookupMark: Mark(value: 0), mtu: 1400, address: nil, peer: nil, alias: "backhaul tunnel \(name)")
      kernel.links[name] = Link(
        index: InterfaceIndex(20), isUp: true, hasCarrier: true, mtu: 1400, isPointToPoint: true,
        tunnel: device.parameters)
    }
    func outer(by device: InterfaceName, encrypted: Set<InterfaceName>) -> PacketFate.End? {
      kernel.mainDefaults = [
        MainDefault(device: device, gateway: nil, metric: RouteMetric(1)),
        MainDefault(device: "wan0", gateway: "192.0.2.1", metric: RouteMetric(100)),
      ]
      let walk = PacketWalk(kernel, encrypted: encrypted)
      return walk.fate(of: Packet(incoming: nil, source: "192.0.2.2", destination: "8.8.8.8")).outer.first?.end
    }
    #expect(outer(by: "bh-gre", encrypted: []) == .dropped("in the clear"))
    #expect(outer(by: "bh-gre", encrypted: ["bh-gre"]) == .left("wan0", gateway: "192.0.2.1"))
    #expect(outer(by: "bh-ipip", encrypted: []) == .left("wan0", gateway: "192.0.2.1"))
    #expect(outer(by: "bh-xfrm", encrypted: []) == nil, "the state does not say where they go")
  }
}
