/// What an IPv4 header says of what follows it (IANA, Assigned Internet Protocol Numbers).
package enum IPProtocol {
  package static let icmp: UInt8 = 1
  /// IPv4 in IPv4 (RFC 2003). Linux calls it ipip; /etc/protocols calls it ipencap, and another one (94) ipip.
  package static let ipip: UInt8 = 4
  package static let tcp: UInt8 = 6
  package static let udp: UInt8 = 17
  package static let gre: UInt8 = 47
  package static let esp: UInt8 = 50
}
