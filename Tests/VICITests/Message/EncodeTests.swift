import Testing
import VICI

@Suite struct EncodeTests {
  private func cause(_ build: (inout VICIMessage) -> Void) -> VICIFailure.Cause? {
    let message = VICIMessage(build)
    return VICITests.cause { () throws(VICIFailure) in _ = try message.encoded() }
  }

  @Test func `a name or value too long for its length field is refused, the longest possible is not`() throws {
    let longest = VICIMessage {
      $0.set(String(repeating: "n", count: 255), String(repeating: "v", count: 65_535))
      $0.set("list", [String(repeating: "v", count: 65_535)])
    }
    #expect(try VICIMessage(decoding: longest.encoded()) == longest)
    let long = String(repeating: "n", count: 256)
    #expect(cause { $0.set(long, "") } == .unencodable(.nameTooLong(256)))
    #expect(cause { $0.set(long, []) } == .unencodable(.nameTooLong(256)))
    #expect(cause { $0.section(long) { _ in } } == .unencodable(.nameTooLong(256)))
    let large = String(repeating: "v", count: 65_536)
    #expect(cause { $0.set("data", large) } == .unencodable(.valueTooLong(of: "data", 65_536)))
    #expect(cause { $0.set("certs", [large]) } == .unencodable(.valueTooLong(of: "certs", 65_536)))
  }

  @Test func `a name with a control character is refused`() {
    #expect(cause { $0.set("a\nb", "") } == .unencodable(.badName))
    #expect(cause { $0.section("a\u{7f}") { _ in } } == .unencodable(.badName))
  }

  @Test func `a message larger than a packet is refused`() {
    let value = [UInt8](repeating: 1, count: 65_535)
    let count = cause { message in for number in 0..<8 { message.set("v\(number)", bytes: value) } }
    #expect(count == .unencodable(.packetTooLong(8 * (65_535 + 6))))
  }

  @Test func `a message that could not be read back is not written`() {
    func nest(_ message: inout VICIMessage, _ depth: Int) {
      if depth > 0 { message.section("s") { nest(&$0, depth - 1) } }
    }
    #expect(cause { nest(&$0, VICIMessage.maximumDepth) } == nil)
    #expect(cause { nest(&$0, VICIMessage.maximumDepth + 1) } == .unencodable(.tooDeep))
    let items = [String](repeating: "", count: VICIMessage.maximumElements)
    #expect(cause { $0.set("list", items) } == .unencodable(.tooManyElements))
    #expect(cause { $0.set("list", Array(items.dropLast())) } == nil)
  }
}
