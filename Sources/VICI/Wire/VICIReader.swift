/// Reads a packet from its front; every read is checked against what is left.
struct VICIReader {
  private let bytes: [UInt8]
  private(set) var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.count }

  mutating func byte() -> UInt8? {
    guard offset < bytes.count else { return nil }
    defer { offset += 1 }
    return bytes[offset]
  }

  /// A length in one byte, and as many bytes of text. `start`: where the element begins that this is of.
  mutating func name(from start: Int) throws(VICIFailure) -> String {
    guard let length = byte(), let slice = take(Int(length)) else { throw VICIFailure(.malformed(.cutOff, at: start)) }
    guard let name = String(validating: slice, as: UTF8.self), VICIName.isGood(name) else {
      throw VICIFailure(.malformed(.badName, at: start))
    }
    return name
  }

  /// A length in two bytes, big-endian, and as many bytes of anything.
  mutating func value(from start: Int) throws(VICIFailure) -> [UInt8] {
    guard let high = byte(), let low = byte(), let slice = take(Int(high) << 8 | Int(low)) else {
      throw VICIFailure(.malformed(.cutOff, at: start))
    }
    return Array(slice)
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard count <= bytes.count - offset else { return nil }
    defer { offset += count }
    return bytes[offset..<offset + count]
  }
}
