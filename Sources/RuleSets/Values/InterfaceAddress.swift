/// An address as an interface carries it: host bits kept, with the length of the subnet. `ip addr` writes `10.1.1.1/30`.
package struct InterfaceAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let address: IPv4Address
  /// 0...32.
  package let length: UInt8

  package init?(_ address: IPv4Address, length: UInt8) {
    guard length <= 32 else { return nil }
    self.address = address
    self.length = length
  }

  private init(known address: IPv4Address) { (self.address, length) = (address, 32) }

  /// No device's: what a draft has until the document's address is read.
  static let blank = InterfaceAddress(known: .blank)

  package init?(_ text: some StringProtocol) {
    guard let (address, length) = IPv4Prefix.parse(text) else { return nil }
    self.address = address
    self.length = length
  }

  /// The subnet that the address lies in.
  package var subnet: IPv4Prefix { IPv4Prefix(containing: address, length: length) ?? .host(address) }

  package var description: String { "\(address)/\(length)" }

  package static func < (left: Self, right: Self) -> Bool {
    (left.address, left.length) < (right.address, right.length)
  }
}
