import Testing
import VICI

@Suite struct PacketTests {
  private static let key = VICIMessage { $0.set("k", "v") }
  private static let keyBytes: [UInt8] = [3, 1, 107, 0, 1, 118]

  private static let all: [(VICIPacket, [UInt8])] = [
    (.request(command: "stats", key), [0, 5] + Sample.ascii("stats") + keyBytes),
    (.response(key), [1] + keyBytes),
    (.commandUnknown, [2]),
    (.register(event: "log"), [3, 3] + Sample.ascii("log")),
    (.unregister(event: "log"), [4, 3] + Sample.ascii("log")),
    (.confirmed, [5]),
    (.eventUnknown, [6]),
    (.event(name: "log", key), [7, 3] + Sample.ascii("log") + keyBytes),
    (.request(command: "version", VICIMessage()), [0, 7] + Sample.ascii("version")),
    (.response(VICIMessage()), [1]),
  ]

  @Test(arguments: all) func `a packet of each kind is written and read`(_ packet: VICIPacket, _ bytes: [UInt8]) throws
  {
    #expect(try packet.encoded() == bytes)
    #expect(try VICIPacket(decoding: bytes) == packet)
  }

  @Test(
    arguments: [
      ([], .cutOff, 0),
      ([8], .unknownPacket(8), 0),
      ([255, 1, 97], .unknownPacket(255), 0),
      ([0], .cutOff, 0),
      ([7, 4, 108, 111, 103], .cutOff, 0),
      ([3, 1, 10], .badName, 0),
      ([2, 0], .trailing, 1),
      ([5] + keyBytes, .trailing, 1),
      ([3, 3, 108, 111, 103, 3], .trailing, 5),
      ([1, 3, 1, 107, 0, 2, 118], .cutOff, 1),
      ([7, 1, 97, 6], .listEndOutsideList, 3),
    ] as [([UInt8], VICIFault, Int)])
  func `a bad packet is refused with the place of the fault`(_ bytes: [UInt8], _ fault: VICIFault, _ offset: Int) {
    #expect(cause { () throws(VICIFailure) in _ = try VICIPacket(decoding: bytes) } == .malformed(fault, at: offset))
  }

  @Test func `a packet with a name too long, or larger than charon accepts, is refused`() throws {
    let long = VICIPacket.register(event: String(repeating: "e", count: 256))
    #expect(cause { () throws(VICIFailure) in _ = try long.encoded() } == .unencodable(.nameTooLong(256)))
    // A message that would fill a packet has no room beside the command's name.
    let message = VICIMessage { message in
      for number in 0..<8 { message.set("v\(number)", bytes: [UInt8](repeating: 1, count: 65_530)) }
    }
    #expect(try message.encoded().count == 512 << 10)
    let packet = VICIPacket.request(command: "load", message)
    #expect(cause { () throws(VICIFailure) in _ = try packet.encoded() } == .unencodable(.packetTooLong(524_294)))
  }
}
