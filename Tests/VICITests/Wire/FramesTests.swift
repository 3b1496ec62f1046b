import Testing
import VICI

@Suite struct FramesTests {
  /// What comes out, by the number of bytes put in.
  private func packets(_ pieces: [[UInt8]]) throws(VICIFailure) -> [[UInt8]] {
    var frames = VICIFrames()
    var packets: [[UInt8]] = []
    for piece in pieces {
      frames.append(piece)
      while let packet = try frames.next() { packets.append(packet) }
    }
    return packets
  }

  private let sent: [[UInt8]] = [[2], Array(0..<200), [5], [1, 3, 1, 107, 0, 1, 118]]

  @Test func `packets come out whole, wherever the stream is cut in three`() throws {
    let stream = sent.flatMap(VICIFrames.encode)
    for first in 0...stream.count {
      for second in stride(from: first, through: stream.count, by: 7) {
        let pieces = [Array(stream[..<first]), Array(stream[first..<second]), Array(stream[second...])]
        #expect(try packets(pieces) == sent)
      }
    }
    #expect(try packets(stream.map { [$0] }) == sent)
  }

  @Test func `a packet comes out with its last byte and not before`() throws {
    let stream = VICIFrames.encode([1, 2, 3])
    #expect(stream == [0, 0, 0, 3, 1, 2, 3])
    for length in 0..<stream.count { #expect(try packets([Array(stream[..<length])]) == []) }
  }

  @Test func `the largest packet passes, and one byte more is refused at its length`() throws {
    let largest = [UInt8](repeating: 7, count: 512 << 10)
    #expect(try packets([VICIFrames.encode(largest)]) == [largest])
    let larger = cause { () throws(VICIFailure) in _ = try packets([[0, 8, 0, 1]]) }
    #expect(larger == .malformed(.packetTooLong(524_289), at: 0))
    let largestNumber = cause { () throws(VICIFailure) in _ = try packets([[255, 255, 255, 255]]) }
    #expect(largestNumber == .malformed(.packetTooLong(4_294_967_295), at: 0))
  }

  @Test func `an empty packet is refused, and so is everything after it`() throws {
    var frames = VICIFrames()
    frames.append([0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 1, 5])
    #expect(try frames.next() == [5])
    for _ in 0..<2 {
      #expect(throws: VICIFailure.self) { try frames.next() }
      frames.append([1])
    }
  }
}
