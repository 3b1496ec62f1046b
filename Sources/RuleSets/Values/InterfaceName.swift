/// The name of a network device, as the kernel takes it: 1 to 15 bytes (IFNAMSIZ − 1, linux/if.h) without `/`, `:`,
/// white space or a control character, and neither `.` nor `..` (dev_valid_name, net/core/dev.c).
package struct InterfaceName: Hashable, Comparable, Sendable, CustomStringConvertible {
  package static let maximumLength = 15
  package let text: String

  package init?(_ text: some StringProtocol) {
    let bytes = text.utf8
    guard (1...Self.maximumLength).contains(bytes.count), text != ".", text != "..",
      bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") })
    else { return nil }
    self.text = String(text)
  }

  private init(known text: String) { self.text = text }

  /// To an ip rule the device that packets of the router's own come from (LOOPBACK_IFINDEX in ip_route_output_key_hash,
  /// net/ipv4/route.c).
  package static let loopback = InterfaceName(known: "lo")
  /// No device's: what a draft has until the document's name is read.
  static let blank = InterfaceName(known: "")

  package var description: String { text }
  package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// The number that the kernel gives a device in one network namespace. Never stored: a device made anew has a new one.
package struct InterfaceIndex: Hashable, Sendable, CustomStringConvertible {
  package let value: UInt32
  package init(_ value: UInt32) { self.value = value }
  package var description: String { "\(value)" }
}
