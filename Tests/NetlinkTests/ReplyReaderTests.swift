import Testing

@testable import Netlink

@Suite("The answer to a request")
struct ReplyReaderTests {
  private let done: UInt16 = 3
  private let error: UInt16 = 2
  private let multi: UInt16 = 2
  private let interrupted: UInt16 = 0x10

  /// The result of `take`, and how many messages were handed on.
  private func take(_ datagram: Datagram, understands: Bool = true) throws -> (ReplyReader.Progress, Int) {
    var reader = ReplyReader(operation: "test", sequence: 7, port: 9)
    var count = 0
    let progress = try datagram.bytes.withUnsafeBytes { bytes in
      try reader.take(bytes) { _ in
        count += 1
        return understands
      }
    }
    return (progress, count)
  }

  private func refusal(_ datagram: Datagram, understands: Bool = true) -> NetlinkFailure? {
    do { _ = try take(datagram, understands: understands) } catch { return error as? NetlinkFailure }
    return nil
  }

  @Test("goes on until its end")
  func whole() throws {
    var datagram = Datagram()
    datagram.message(type: 16, flags: multi)
    datagram.message(type: 16, flags: multi)
    #expect(try take(datagram) == (.unfinished, 2))
    datagram.message(type: done, Datagram.raw(Int32(0)))
    #expect(try take(datagram) == (.finished, 2))
  }

  @Test("is told apart from answers to other requests and other sockets")
  func stale() throws {
    var datagram = Datagram()
    datagram.message(type: 16, sequence: 6)
    datagram.message(type: 16, port: 8)
    datagram.message(type: error, sequence: 6, Datagram.raw(Int32(-1)) + [UInt8](repeating: 0, count: 16))
    #expect(try take(datagram) == (.unfinished, 0))
  }

  @Test("is read to its end and then counts as interrupted if the objects changed during the dump")
  func dumpInterrupted() {
    var datagram = Datagram()
    datagram.message(type: 16, flags: multi | interrupted)
    #expect(refusal(datagram) == nil)
    datagram.message(type: done, Datagram.raw(Int32(0)))
    #expect(refusal(datagram)?.isInterrupted == true)
  }

  @Test("with an error is a failure with the kernel's text")
  func words() {
    var datagram = Datagram()
    let text = Datagram.attribute(1, Array("Nexthop has invalid gateway".utf8) + [0])
    // NLM_F_CAPPED and NLM_F_ACK_TLVS: the request's header, then the text.
    datagram.message(type: error, flags: 0x300, Datagram.raw(Int32(-101)) + [UInt8](repeating: 0, count: 16) + text)
    #expect(
      refusal(datagram) == NetlinkFailure(operation: "test", errno: 101, kernelText: "Nexthop has invalid gateway"))
  }

  @Test("whose text has an impossible offset is a failure without text")
  func lyingText() {
    var datagram = Datagram()
    // Not capped, and a request that claims to be 4 GB.
    datagram.message(
      type: error, flags: 0x200, Datagram.raw(Int32(-22)) + Datagram.raw(UInt32.max) + [UInt8](repeating: 0, count: 12))
    #expect(refusal(datagram) == NetlinkFailure(operation: "test", errno: 22))
  }

  @Test("never counts as whole if it is cut off at any byte", arguments: 1..<36)
  func truncated(_ length: Int) {
    var datagram = Datagram()
    datagram.message(type: done, Datagram.raw(Int32(0)) + [UInt8](repeating: 0, count: 16))
    var reader = ReplyReader(operation: "test", sequence: 7, port: 9)
    #expect(throws: NetlinkFailure.malformed("test")) {
      try datagram.bytes[..<length].withUnsafeBytes { bytes in _ = try reader.take(bytes) { _ in true } }
    }
  }

  @Test("with an impossible length is refused", arguments: [0, 1, 15, 17, 4096, UInt32.max])
  func lyingLength(_ length: UInt32) {
    var datagram = Datagram()
    datagram.message(type: 16, length: length)
    #expect(refusal(datagram) == NetlinkFailure.malformed("test"))
  }

  @Test("of an unknown kind is refused")
  func notUnderstood() {
    var datagram = Datagram()
    datagram.message(type: 16)
    #expect(refusal(datagram, understands: false) == NetlinkFailure.malformed("test"))
  }
}
