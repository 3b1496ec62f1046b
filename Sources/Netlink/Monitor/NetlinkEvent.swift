/// Something that the kernel told all who listen.
package enum NetlinkEvent: Equatable, Sendable {
  case link(LinkMessage)
  case linkGone(index: UInt32, name: String)
  /// It came or went.
  case address(AddressMessage)
  case route(RouteMessage)
  case ipv6Route(IPv6RouteMessage)
  case rule(RuleMessage)
  /// A nexthop object came, changed or went; the routes that use it cause no events of their own.
  case nexthop
  /// Of a device, or of all of them (-1) or of those to come (-2).
  case setting(index: Int32)
  /// A table of this name, or something in it; nil if the message names none.
  case table(String?)
  /// Elements of a set of this table came, or went: then there are none here. Of a set of ranges some are ends.
  case elements(table: String, set: String, added: [UInt32])
  /// Nobody on the device's link has this IPv4 address (NUD_FAILED).
  case neighbourFailed(index: UInt32, address: UInt32)
  /// The queue overflowed: anything may have happened.
  case overrun
}
