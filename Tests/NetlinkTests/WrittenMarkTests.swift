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

  // MARK: iptables

  private func target(_ name: String, _ revision: UInt32, _ words: [UInt32], _ bytes: [UInt8] = []) -> [WrittenMark] {
    bits(.target(name, revision: revision, words.flatMap { word($0) } + bytes))
  }
  private func packets(_ bits: UInt32) -> [WrittenMark] { [WrittenMark(bits: bits, isConnections: false)] }
  private func connections(_ bits: UInt32) -> [WrittenMark] { [WrittenMark(bits: bits, isConnections: true)] }

  @Test func markKeepsWhatItsMaskLeavesOut() {
    // --set-xmark 0x100000/0xff00000
    #expect(target("MARK", 2, [0x10_0000, 0x0ff0_0000]) == packets(0x0ff0_0000))
    // --set-mark 5; --or-mark 3; --xor-mark 8; --and-mark 0xffffff00
    #expect(target("MARK", 2, [5, .max]) == packets(.max))
    #expect(target("MARK", 2, [3, 3]) == packets(3))
    #expect(target("MARK", 2, [8, 0]) == packets(8))
    #expect(target("MARK", 2, [0, 0xff]) == packets(0xff))
    #expect(target("MARK", 2, [0, 0]) == [], "nothing at all")
    #expect(target("TPROXY", 0, [0xf0, 0x10, 0, 0]) == packets(0xf0))
    #expect(target("TPROXY", 1, [1, 1, 0, 0, 0, 0, 0]) == packets(1))
  }

  /// What XT_CONNMARK_SET, _SAVE and _RESTORE do, with a shift by so many bits to the left (0) or the right (1).
  @Test func connmarkWritesTheOneMarkOrTheOther() {
    let masks: [UInt32] = [0x1, 0xf00, 0xf]
    #expect(target("CONNMARK", 1, masks, [0, 0, 0, 0]) == connections(0xf01))
    #expect(target("CONNMARK", 1, masks, [1, 0, 0, 0]) == connections(0xf0f))
    #expect(target("CONNMARK", 1, masks, [2, 0, 0, 0]) == packets(0xf0f))
    #expect(target("CONNMARK", 2, masks, [0, 0, 0, 0]) == connections(0xf01))
    #expect(target("CONNMARK", 2, masks, [0, 4, 0, 0]) == connections(.max), "the kept bits move")
    #expect(target("CONNMARK", 2, masks, [0, 4, 1, 0]) == connections(0xff0))
    #expect(target("CONNMARK", 2, masks, [1, 4, 2, 0]) == packets(0xff))
    #expect(target("CONNMARK", 2, masks, [1, 200, 2, 0]) == packets(0xf))
  }

  @Test func aFormOfALaterKernelMayWriteAnything() {
    #expect(target("MARK", 3, [1, 1]) == packets(.max))
    #expect(target("MARK", 2, [1], [1, 0, 0]) == packets(.max), "cut off")
    #expect(target("MARK", 2, []) == packets(.max))
    #expect(target("CONNMARK", 1, [1, 1, 1]) == packets(.max))
    #expect(target("CONNMARK", 2, [1, 1, 1], [0, 0]) == packets(.max))
    #expect(target("CONNMARK", 2, [1, 1, 1], [0, 0, 3, 0]) == packets(.max))
    #expect(target("CONNMARK", 3, [1, 1, 1, 1]) == packets(.max))
    #expect(target("TPROXY", 2, [1, 1, 0, 0]) == packets(.max))
    #expect(target("LOG", 0, [1, 1]) == [])
    #expect(target("", 0, [1]) == [])
  }

  @Test func iptablesWrapsItsTargetsInExpressions() {
    func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }
    func expression(_ name: String, _ data: [UInt8]) -> [UInt8] {
      Datagram.attribute(1, Datagram.attribute(1, text(name)) + Datagram.attribute(2, data))
    }
    let revision = Datagram.attribute(2, Datagram.raw(UInt32(2).bigEndian))
    func read(_ bytes: [UInt8]) -> [NFTExpression]? { bytes.withUnsafeBytes { NFTExpression.list(Bytes($0)) } }
    let name = Datagram.attribute(1, text("MARK"))
    let data = word(0x10_0000) + word(0x0ff0_0000)
    let info = Datagram.attribute(3, data)
    // A match looks the same, and writes nothing.
    let expressions = read(expression("match", name + revision + info) + expression("target", name + revision + info))
    #expect(expressions == [.other("match"), .target("MARK", revision: 2, data)])
    #expect(WrittenMark.all(in: expressions ?? []) == packets(0x0ff0_0000))
    #expect(read(expression("target", name + info)) == [.other("target")])
    #expect(read(expression("target", name + revision)) == [.other("target")])
    let lying = Datagram.attribute(3, data, length: 400)
    #expect(read(expression("target", name + revision + lying)) == [.other("target")])
  }
}
