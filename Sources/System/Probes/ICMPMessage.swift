internal import Core
package import RuleSets

/// What a raw ICMP socket received, if it can be an answer to one of our echo requests (RFC 792).
package enum ICMPMessage: Equatable, Sendable {
  case echoReply(from: IPv4Address, ICMPEcho)
  /// A router or the target says that the echo request that it quotes went no further. `to` is where that was sent. A
  /// quotation may end after 8 bytes of the request (RFC 792), so its nonce may be missing.
  case error(from: IPv4Address, ICMPTrouble, to: IPv4Address, ICMPEcho)
}

/// The part of an echo request that its answer repeats.
package struct ICMPEcho: Equatable, Sendable {
  package var identifier: UInt16
  package var sequence: UInt16
  /// The first 8 bytes of the payload: drawn at random for each probe, so that nobody off the path can answer for it.
  package var nonce: UInt64?

  package init(identifier: UInt16, sequence: UInt16, nonce: UInt64?) {
    self.identifier = identifier
    self.sequence = sequence
    self.nonce = nonce
  }
}

/// Type and code of an ICMP error.
package struct ICMPTrouble: Equatable, Sendable, CustomStringConvertible {
  package var type: UInt8
  package var code: UInt8

  package init(type: UInt8, code: UInt8) {
    self.type = type
    self.code = code
  }

  /// As ping words it.
  package var description: String {
    switch (type, code) {
    case (3, 0): "network unreachable"
    case (3, 1): "host unreachable"
    case (3, 2): "protocol unreachable"
    case (3, 3): "port unreachable"
    case (3, 4): "fragmentation needed"
    case (3, 9), (3, 10), (3, 13): "administratively prohibited"
    case (3, _): "destination unreachable, code \(code)"
    case (11, _): "time to live exceeded"
    case (12, _): "parameter problem"
    default: "ICMP type \(type), code \(code)"
    }
  }
}

extension ICMPMessage {
  /// Parses an IPv4 packet from its IP header on, as a raw socket gives it. Nil for whatever is no echo reply and no
  /// error about an echo request: too short, cut off, of another protocol, with a wrong checksum.
  package static func parse(_ packet: Span<UInt8>) -> ICMPMessage? {
    guard let outer = IPHeader(packet), outer.proto == IPHeader.icmp, outer.fragmentOffset == 0,
      outer.totalLength <= packet.count, outer.totalLength >= outer.length + 8
    else { return nil }
    let message = packet.extracting(outer.length..<outer.totalLength)
    // Raw sockets get a packet before the kernel has checked it.
    guard checksum(message) == 0 else { return nil }
    switch (message[0], message[1]) {
    case (0, 0): return .echoReply(from: outer.source, echo(message))
    case (3, let code), (11, let code), (12, let code):
      let quoted = message.extracting(8..<message.count)
      guard let inner = IPHeader(quoted), inner.proto == IPHeader.icmp, inner.fragmentOffset == 0,
        quoted.count >= inner.length + 8
      else { return nil }
      let request = quoted.extracting(inner.length..<quoted.count)
      guard request[0] == 8, request[1] == 0 else { return nil }
      return .error(
        from: outer.source, ICMPTrouble(type: message[0], code: code), to: inner.destination, echo(request))
    default: return nil
    }
  }

  /// `message` has 8 bytes at least.
  private static func echo(_ message: Span<UInt8>) -> ICMPEcho {
    ICMPEcho(
      identifier: message.bigEndian(at: 4), sequence: message.bigEndian(at: 6),
      nonce: message.count >= 16 ? message.bigEndian(at: 8) : nil)
  }

  /// The Internet checksum (RFC 1071); 0 over a message that carries its own.
  static func checksum(_ bytes: Span<UInt8>) -> UInt16 {
    var sum: UInt32 = 0
    var index = 0
    // A message has at most 65,535 bytes, so that the sum cannot overflow.
    while index + 1 < bytes.count {
      sum &+= UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
      index += 2
    }
    if index < bytes.count { sum &+= UInt32(bytes[index]) << 8 }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(truncatingIfNeeded: sum)
  }
}

/// What we need from an IPv4 header (RFC 791 section 3.1); nil if it is not one, or cut off.
struct IPHeader {
  static let icmp: UInt8 = 1

  var length: Int
  var totalLength: Int
  var fragmentOffset: UInt16
  var proto: UInt8
  var source: IPv4Address
  var destination: IPv4Address

  init?(_ bytes: Span<UInt8>) {
    guard bytes.count >= 20, bytes[0] >> 4 == 4 else { return nil }
    length = Int(bytes[0] & 15) * 4
    guard length >= 20, length <= bytes.count else { return nil }
    totalLength = Int(bytes.bigEndian(at: 2) as UInt16)
    fragmentOffset = bytes.bigEndian(at: 6) & 0x1fff
    proto = bytes[9]
    source = IPv4Address(value: bytes.bigEndian(at: 12))
    destination = IPv4Address(value: bytes.bigEndian(at: 16))
  }
}

extension Span<UInt8> {
  /// An integer in network byte order. Each byte's place is checked.
  func bigEndian<Value: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> Value {
    var value: Value = 0
    for index in 0..<(Value.bitWidth / 8) { value = value << 8 | Value(self[offset + index]) }
    return value
  }
}
