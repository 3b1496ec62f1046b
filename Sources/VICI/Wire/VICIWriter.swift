/// Writes a packet. A name or value too long for its length field is thrown at once, a packet too long by `finish`.
struct VICIWriter {
  private var bytes: [UInt8] = []

  mutating func byte(_ byte: UInt8) { bytes.append(byte) }

  mutating func name(_ name: String) throws(VICIFailure) {
    let count = name.utf8.count
    guard count <= VICIName.maximumLength else { throw VICIFailure(.unencodable(.nameTooLong(count))) }
    guard VICIName.isGood(name) else { throw VICIFailure(.unencodable(.badName)) }
    bytes.append(UInt8(truncatingIfNeeded: count))
    bytes.append(contentsOf: name.utf8)
  }

  mutating func value(_ value: [UInt8], of name: String) throws(VICIFailure) {
    guard value.count <= Int(UInt16.max) else {
      throw VICIFailure(.unencodable(.valueTooLong(of: name, value.count)))
    }
    bytes.append(UInt8(truncatingIfNeeded: value.count >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value.count))
    bytes.append(contentsOf: value)
  }

  func finish() throws(VICIFailure) -> [UInt8] {
    guard bytes.count <= VICIFrames.maximumLength else {
      throw VICIFailure(.unencodable(.packetTooLong(bytes.count)))
    }
    return bytes
  }
}
