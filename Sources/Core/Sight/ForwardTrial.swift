package import RuleSets

/// Whether our nftables would hold back a forwarded packet: evaluated on the table as we made it, from the forward hook
/// on.
package struct ForwardTrial: Sendable {
  private let table: NftWalk.Table

  /// - Parameter surroundings: what the table was made by; see `ActualState.surroundings`.
  package init(_ layout: Layout, _ surroundings: ActualState) {
    table = NftWalk.Table(EdgeCompiler(layout, surroundings).nftTable())
  }

  /// Whether our table holds back a packet that a rule has marked.
  ///
  /// - Parameter device: the device that the forward hook sees it come in by; nil: one that our table does not name,
  ///   such as a VRF.
  package func holds(
    _ entrance: SourceSurvey.Entrance, to destination: IPv4Address, mark: Mark, by device: InterfaceName?,
    leavingBy outgoing: InterfaceName
  ) -> Bool {
    holds(
      Packet(
        incoming: device ?? Self.stranger, source: entrance.source, destination: destination, mark: mark.value),
      outgoing)
  }

  /// Whether our table drops or rejects an IPv6 packet that comes in by one device and would leave by another.
  package func holdsIPv6(from incoming: InterfaceName, leavingBy outgoing: InterfaceName) -> Bool {
    let none = IPv4Address(value: 0)
    return holds(Packet(incoming: incoming, source: none, destination: none, isIPv6: true), outgoing)
  }

  private func holds(_ packet: Packet, _ outgoing: InterfaceName) -> Bool {
    var walk = NftWalk(table, packet)
    walk.outgoing = outgoing
    for point in [NftChain.Hook.Point.forward, .postrouting] where walk.run(point).verdict != .pass { return true }
    return false
  }

  /// No device in the configuration has this name.
  private static let stranger = InterfaceName("vrf?")
}
