import Testing

@testable import Netlink

@Suite struct WrittenMarkTests {
  private func word(_ value: UInt32) -> [UInt8] { NFTExpression.word(value) }

  private func bits(_ expressions: NFTExpression...) -> [WrittenMark] { WrittenMark.all(in: expressions) }

  @Test func aMaskKeepsTheOtherBits() {
    // meta mark set meta mark & 0xfe0fffff | 0x00100000, as nft writes it: and, then xor.
    #expect(
      bits(.meta(.mark), .bitwise(mask: word(0xfe0f_ffff), flip: word(0x0010_0000)), .setMeta(.mark))
        == [WrittenMark(bits: 0x01f0_0000, isConnections: false)])
    // meta mark set meta mark | 0x3
    #expect(
      bits(.meta(.mark), .bitwise(mask: word(0xffff_fffc), flip: word(3)), .setMeta(.mark))
        == [WrittenMark(bits: 3, isConnections: false)])
    #expect(bits(.meta(.mark), .setMeta(.mark)) == [], "to itself")
  }

  @Test func whateverComesFromElsewhereWritesThemAll() {
    #expect(bits(.load(word(1)), .setMeta(.mark)) == [WrittenMark(bits: .max, isConnections: false)])
    #expect(
      bits(.connection(.mark), .bitwise(mask: word(0xff), flip: word(0)), .setMeta(.mark))
        == [WrittenMark(bits: .max, isConnections: false)])
    #expect(bits(.meta(.mark), .setConnection(.mark)) == [WrittenMark(bits: .max, isConnections: true)])
    #expect(bits(.meta(.mark), .load(word(5)), .setMeta(.mark)) == [WrittenMark(bits: .max, isConnections: false)])
  }

  @Test func aRuleThatOnlyAsksWritesNone() {
    #expect(
      bits(.meta(.mark), .bitwise(mask: word(0xff), flip: word(0)), .compare(isEqual: true, word(1)), .verdict(.drop))
        == [])
  }
}
