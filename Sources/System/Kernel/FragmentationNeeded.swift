internal import Core
package import RuleSets

/// What a router says of a packet of ours that was too large for its next link and may not be fragmented (RFC 1191
/// section 4).
package struct FragmentationNeeded: Equatable, Sendable {
  /// Where that packet was sent: to a hub, if it was a tunnel's.
  package var destination: IPv4Address
  /// Bytes of the largest that fits; 0 where the router says none.
  package var mtu: Int

  /// Parses an IPv4 packet from its IP header on, as a raw socket gives it. Nil for whatever is no such message: too short,
  /// cut off, with a wrong checksum.
  package init?(_ packet: Span<UInt8>) {
    guard let outer = IPHeader(packet), outer.proto == IPHeader.icmp, outer.fragmentOffset == 0,
      outer.totalLength <= packet.count, outer.totalLength >= outer.length + 8
    else { return nil }
    let message = packet.extracting(outer.length..<outer.totalLength)
    guard message[0] == 3, message[1] == 4, ICMPMessage.checksum(message) == 0,
      let quoted = IPHeader(message.extracting(8..<message.count))
    else { return nil }
    destination = quoted.destination
    mtu = Int(message.bigEndian(at: 6) as UInt16)
  }
}
