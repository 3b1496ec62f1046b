import Core
internal import RuleSets
import System
import Testing

/// Packets as the wire has them.
enum Packet {
  static let here = IPv4Address(value: 0xc000_0201)
  static let target = IPv4Address(value: 0xc000_0202)
  static let router = IPv4Address(value: 0xc633_6401)

  static func ip(from source: IPv4Address, to destination: IPv4Address, proto: UInt8 = 1, _ payload: [UInt8]) -> [UInt8]
  {
    let total = 20 + payload.count
    var header: [UInt8] = [0x45, 0, UInt8(total >> 8), UInt8(total & 255), 0, 0, 0, 0, 64, proto, 0, 0]
    for address in [source, destination] {
      for shift in [24, 16, 8, 0] { header.append(UInt8(address.value >> UInt32(shift) & 255)) }
    }
    return header + payload
  }

  static func summed(_ message: [UInt8]) -> [UInt8] {
    var message = message
    (message[2], message[3]) = (0, 0)
    var sum: UInt32 = 0
    for index in stride(from: 0, to: message.count, by: 2) {
      sum += UInt32(message[index]) << 8 | (index + 1 < message.count ? UInt32(message[index + 1]) : 0)
    }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    (message[2], message[3]) = (UInt8(~sum >> 8 & 255), UInt8(~sum & 255))
    return message
  }

  static let request = ICMPRequest.encode(identifier: 0x1234, sequence: 7, nonce: 0x0102_0304_0506_0708)

  static var reply: [UInt8] { ip(from: target, to: here, summed([0, 0, 0, 0] + request.dropFirst(4))) }

  static func error(type: UInt8, code: UInt8, quoting bytes: Int = 28) -> [UInt8] {
    let quoted = ip(from: here, to: target, request).prefix(bytes)
    return ip(from: router, to: here, summed([type, code, 0, 0, 0, 0, 0, 0] + quoted))
  }
}

private func parse(_ bytes: [UInt8]) -> ICMPMessage? { ICMPMessage.parse(bytes.span) }
private func tooLarge(_ bytes: [UInt8]) -> FragmentationNeeded? { FragmentationNeeded(bytes.span) }

@Suite struct ICMPMessageTests {
  let echo = ICMPEcho(identifier: 0x1234, sequence: 7, nonce: 0x0102_0304_0506_0708)

  @Test func `an echo reply says who answered which request`() {
    #expect(parse(Packet.reply) == .echoReply(from: Packet.target, echo))
  }

  @Test func `an error says which router sent it, what is wrong and which request it is about`() {
    #expect(
      parse(Packet.error(type: 3, code: 1, quoting: 84))
        == .error(from: Packet.router, ICMPTrouble(type: 3, code: 1), to: Packet.target, echo))
    var short = echo
    short.nonce = nil
    #expect(
      parse(Packet.error(type: 11, code: 0))
        == .error(from: Packet.router, ICMPTrouble(type: 11, code: 0), to: Packet.target, short))
    #expect("\(ICMPTrouble(type: 3, code: 1))" == "host unreachable")
    #expect("\(ICMPTrouble(type: 3, code: 13))" == "administratively prohibited")
  }

  @Test func `a packet that is cut at any byte is ignored`() {
    for packet in [Packet.reply, Packet.error(type: 3, code: 1), Packet.error(type: 3, code: 3, quoting: 84)] {
      for length in 0..<packet.count { #expect(parse(Array(packet[..<length])) == nil, "\(length) bytes") }
    }
  }

  @Test func `a message with any one flipped bit is ignored`() {
    let packet = Packet.reply
    for bit in (20 * 8)..<(packet.count * 8) {
      var flipped = packet
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(parse(flipped) == nil)
    }
  }

  @Test func `other protocols, versions, header lengths, fragments and requests are ignored`() {
    for (offset, value) in [(0, 0x65), (0, 0x44), (0, 0x4f), (9, 17), (7, 1), (6, 0x1f), (2, 0xff)] as [(Int, UInt8)] {
      var packet = Packet.reply
      packet[offset] = value
      #expect(parse(packet) == nil, "byte \(offset) = \(value)")
    }
    #expect(parse(Packet.ip(from: Packet.target, to: Packet.here, Packet.request)) == nil)
    // An error that quotes something other than an echo request.
    let quoted = Packet.ip(from: Packet.here, to: Packet.target, proto: 17, Packet.request)
    let error = Packet.summed([3, 1, 0, 0, 0, 0, 0, 0] + quoted)
    #expect(parse(Packet.ip(from: Packet.router, to: Packet.here, error)) == nil)
  }

  @Test func `bytes after the packet's length do not count`() {
    #expect(parse(Packet.reply + [1, 2, 3]) == .echoReply(from: Packet.target, echo))
  }
}

@Suite struct RoundTripTests {
  let sent = RoundTrip(sentWall: 1_000_000_000_000, sentMonotonic: 5_000_000_000)

  @Test func `the kernel's stamp counts, whenever our thread ran`() {
    let trip = sent.duration(stamp: 1_000_010_000_000, wall: 1_000_030_000_000, monotonic: 5_030_000_000)
    #expect(trip == .milliseconds(10))
  }

  @Test(arguments: [3_600_000_000_000, -3_600_000_000_000, 20_000_000, -20_000_000] as [Int64])
  func `a wall clock that was set in between does not count`(step: Int64) {
    let trip = sent.duration(stamp: 1_000_010_000_000 + step, wall: 1_000_011_000_000 + step, monotonic: 5_011_000_000)
    #expect(trip == .milliseconds(11))
  }

  @Test func `without a stamp, or with one from before the sending, the monotonic clock counts`() {
    #expect(sent.duration(stamp: 0, wall: 1_000_011_000_000, monotonic: 5_011_000_000) == .milliseconds(11))
    #expect(sent.duration(stamp: 999_999, wall: 1_000_011_000_000, monotonic: 5_011_000_000) == .milliseconds(11))
  }
}

@Suite struct FragmentationNeededTests {
  /// About a GRE packet of 1,500 bytes, of which the header and 8 bytes are quoted.
  private func message(_ type: UInt8 = 3, _ code: UInt8 = 4, mtu: UInt16 = 1400, quoting bytes: Int = 28) -> [UInt8] {
    let quoted = Packet.ip(from: Packet.here, to: Packet.target, proto: 47, [UInt8](repeating: 0, count: 1480))
    let head = [type, code, 0, 0, 0, 0, UInt8(mtu >> 8), UInt8(mtu & 255)]
    return Packet.ip(from: Packet.router, to: Packet.here, Packet.summed(head + quoted.prefix(bytes)))
  }

  @Test func `a "too large" error says where the packet went and what size fits`() throws {
    let said = try #require(tooLarge(message()))
    #expect(said.destination == Packet.target)
    #expect(said.mtu == 1400)
    #expect(tooLarge(message(mtu: 0))?.mtu == 0)
  }

  @Test func `nothing else passes for a "too large" error`() {
    #expect(tooLarge(message(3, 1)) == nil)
    #expect(tooLarge(message(11, 4)) == nil)
    #expect(tooLarge(message(quoting: 19)) == nil)
    var damaged = message()
    damaged[27] ^= 1
    #expect(tooLarge(damaged) == nil)
    for length in 0..<message().count { #expect(tooLarge(Array(message().prefix(length))) == nil) }
  }
}
