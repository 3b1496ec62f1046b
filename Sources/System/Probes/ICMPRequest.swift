/// An echo request of ours: 64 bytes, as ping's, so that the packet is 84 bytes long.
package enum ICMPRequest {
  package static let length = 64

  /// - Parameter length: of the message, 16 to 65,507 bytes.
  package static func encode(
    identifier: UInt16, sequence: UInt16, nonce: UInt64, length: Int = length
  ) -> [UInt8] {
    var bytes: [UInt8] = [8, 0, 0, 0]
    bytes.reserveCapacity(length)
    append(identifier, to: &bytes)
    append(sequence, to: &bytes)
    append(nonce, to: &bytes)
    bytes.append(contentsOf: repeatElement(0, count: max(0, length - bytes.count)))
    let sum = ICMPMessage.checksum(bytes.span)
    bytes[2] = UInt8(sum >> 8)
    bytes[3] = UInt8(sum & 0xff)
    return bytes
  }

  private static func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
    for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}
