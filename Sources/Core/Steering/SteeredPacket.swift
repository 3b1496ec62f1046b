package import RuleSets

/// What steering rules look at in one packet that comes in by a LAN, and when.
package struct SteeredPacket: Equatable, Sendable {
  package var source: IPv4Address
  package var destination: IPv4Address
  /// The LAN interface that it came in by.
  package var lan: InterfaceName
  /// The sender's on that LAN; nil where it is not known, or the LAN is no Ethernet.
  package var mac: MACAddress?
  package var `protocol`: ProtocolNumber
  /// The destination's; nil where the protocol has none.
  package var port: UInt16?
  package var dscp: DSCP
  /// The names that the destination's address was found by: those of rules, or any below them.
  package var domains: Set<DomainName>
  /// By the clock on the wall; 0 is Monday 00:00.
  package var minuteOfWeek: Int

  package init(
    source: IPv4Address, destination: IPv4Address, lan: InterfaceName, mac: MACAddress? = nil,
    protocol: ProtocolNumber, port: UInt16? = nil, dscp: DSCP, domains: Set<DomainName> = [], minuteOfWeek: Int = 0
  ) {
    self.source = source
    self.destination = destination
    self.lan = lan
    self.mac = mac
    self.protocol = `protocol`
    self.port = port
    self.dscp = dscp
    self.domains = domains
    self.minuteOfWeek = minuteOfWeek
  }
}
