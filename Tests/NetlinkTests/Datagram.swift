/// Netlink bytes by hand, label by label, so that a test can falsify any of them.
struct Datagram {
  private(set) var bytes: [UInt8] = []

  /// `length` nil: the true one.
  mutating func message(
    type: UInt16, flags: UInt16 = 0, sequence: UInt32 = 7, port: UInt32 = 9, length: UInt32? = nil,
    _ payload: [UInt8] = []
  ) {
    put(length ?? UInt32(16 + payload.count))
    put(type)
    put(flags)
    put(sequence)
    put(port)
    bytes += payload
    while bytes.count % 4 != 0 { bytes.append(0) }
  }

  private mutating func put<T: FixedWidthInteger>(_ value: T) { bytes += Self.raw(value) }

  static func raw<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  static func attribute(_ type: UInt16, _ value: [UInt8], length: UInt16? = nil) -> [UInt8] {
    var bytes = raw(length ?? UInt16(4 + value.count)) + raw(type) + value
    while bytes.count % 4 != 0 { bytes.append(0) }
    return bytes
  }
}
