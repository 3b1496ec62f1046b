/// Cuts a stream into packets: each comes after its length in four bytes, big-endian ("Transport protocol" in the
/// README of strongSwan's vici plugin). The stream may arrive in any pieces.
package struct VICIFrames: Sendable {
  /// VICI_MESSAGE_SIZE_MAX of vici_socket.h; the length does not count itself.
  package static let maximumLength = 512 << 10
  private static let headLength = 4

  private var buffer: [UInt8] = []
  /// Everything before this index has been handed out.
  private var start = 0

  package init() {}

  /// Takes in what was read from the socket, however the stream was cut.
  package mutating func append(_ bytes: [UInt8]) {
    if start == buffer.count {
      // The old buffer is not kept: it would stay as large as the largest packet.
      buffer = bytes
    } else {
      buffer.removeFirst(start)
      buffer.append(contentsOf: bytes)
    }
    start = 0
  }

  /// The next packet; nil if it is not complete yet. A length that is refused stays refused: nobody knows where the
  /// next packet would begin.
  package mutating func next() throws(VICIFailure) -> [UInt8]? {
    guard buffer.count - start >= Self.headLength else { return nil }
    let length = buffer[start..<start + Self.headLength].reduce(0) { $0 << 8 | Int($1) }
    // Every packet has its kind in the first byte.
    guard length > 0 else { throw VICIFailure(.malformed(.emptyPacket, at: 0)) }
    guard length <= Self.maximumLength else { throw VICIFailure(.malformed(.packetTooLong(length), at: 0)) }
    let body = start + Self.headLength
    guard buffer.count - body >= length else { return nil }
    start = body + length
    return Array(buffer[body..<start])
  }

  /// - Parameter packet: of 1 to `maximumLength` bytes, as `VICIPacket.encoded` gives it.
  package static func encode(_ packet: [UInt8]) -> [UInt8] {
    let length = UInt32(truncatingIfNeeded: packet.count)
    return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + packet
  }
}
