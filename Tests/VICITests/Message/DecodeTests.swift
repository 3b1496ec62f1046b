import SeededRandom
import Testing
import VICI

@Suite struct DecodeTests {
  private static let keyA: [UInt8] = [3, 1, 97, 0, 0]
  private static let listA: [UInt8] = [4, 1, 97]
  private static let sectionA: [UInt8] = [1, 1, 97]

  @Test(
    arguments: [
      ([0], .unknownElement(0), 0),
      ([7], .unknownElement(7), 0),
      (keyA + [255], .unknownElement(255), 5),
      ([3], .cutOff, 0),
      (keyA + [3, 2, 97], .cutOff, 5),
      ([3, 1, 97, 0], .cutOff, 0),
      ([3, 1, 97, 0, 2, 98], .cutOff, 0),
      ([1, 5, 97], .cutOff, 0),
      (listA + [5, 0, 3, 98], .cutOff, 3),
      ([2], .sectionEndOutsideSection, 0),
      (sectionA + [2, 2], .sectionEndOutsideSection, 4),
      (sectionA, .sectionNotClosed, 3),
      (sectionA + sectionA + [2], .sectionNotClosed, 7),
      (listA + listA + [6, 6], .listInList, 3),
      (listA + sectionA + [2, 6], .sectionInList, 3),
      (sectionA + listA + [2, 6], .sectionInList, 6),
      (listA, .listNotClosed, 3),
      (listA + keyA + [6], .keyInList, 3),
      ([5, 0, 0], .itemOutsideList, 0),
      ([6], .listEndOutsideList, 0),
      (listA + [6, 6], .listEndOutsideList, 4),
      (keyA + keyA, .duplicateName, 5),
      (listA + [6] + listA + [6], .duplicateName, 4),
      (keyA + listA + [6], .duplicateName, 5),
      (sectionA + keyA + keyA + [2], .duplicateName, 8),
      ([3, 1, 0, 0, 0], .badName, 0),
      ([3, 1, 27, 0, 0], .badName, 0),
      ([3, 1, 127, 0, 0], .badName, 0),
      ([1, 1, 0xff, 2], .badName, 0),
      ([4, 2, 0xc3, 0x28, 6], .badName, 0),
    ] as [([UInt8], VICIFault, Int)])
  func `a bad message is refused with the place of the fault`(_ bytes: [UInt8], _ fault: VICIFault, _ offset: Int) {
    #expect(cause { () throws(VICIFailure) in _ = try VICIMessage(decoding: bytes) } == .malformed(fault, at: offset))
  }

  @Test func `the same name in two sections, or of two sections, is no duplicate`() throws {
    let bytes = Self.sectionA + Self.keyA + [2] + Self.sectionA + Self.keyA + [2] + Self.keyA
    let message = try VICIMessage(decoding: bytes)
    #expect(message.sections.map(\.name) == ["a", "a"])
    #expect(try message.encoded() == bytes)
  }

  @Test func `a name may be empty`() throws {
    // get-counters uses this name for its global counters.
    #expect(try VICIMessage(decoding: [1, 0, 3, 0, 0, 1, 55, 2]).section("")?.integer("") == 7)
  }

  @Test func `a message that is cut at any byte is refused`() throws {
    let bytes = try VICIMessage { $0.section("all") { $0 = Sample.message } }.encoded()
    // No bytes are the empty message.
    for length in 1..<bytes.count {
      #expect(throws: VICIFailure.self) { try VICIMessage(decoding: Array(bytes[..<length])) }
    }
  }

  @Test func `sections nest to the limit and no deeper`() throws {
    func nested(_ depth: Int) -> [UInt8] {
      [UInt8]([[UInt8]](repeating: Self.sectionA, count: depth).joined()) + [UInt8](repeating: 2, count: depth)
    }
    let deepest = VICIMessage.maximumDepth
    #expect(try VICIMessage(decoding: nested(deepest)).encoded() == nested(deepest))
    let deeper = cause { () throws(VICIFailure) in _ = try VICIMessage(decoding: nested(deepest + 1)) }
    #expect(deeper == .malformed(.tooDeep, at: 3 * deepest))
    // As many as fit into a packet: the stack does not overflow.
    let abyss = [UInt8]([[UInt8]](repeating: [1, 0], count: 250_000).joined())
    #expect(throws: VICIFailure.self) { try VICIMessage(decoding: abyss) }
  }

  @Test func `a message has elements up to the limit and no more`() throws {
    func list(_ items: Int) -> [UInt8] {
      Self.listA + [UInt8]([[UInt8]](repeating: [5, 0, 0], count: items).joined()) + [6]
    }
    // The list is one itself.
    let most = VICIMessage.maximumElements - 1
    #expect(try VICIMessage(decoding: list(most)).list("a").count == most)
    let more = cause { () throws(VICIFailure) in _ = try VICIMessage(decoding: list(most + 1)) }
    #expect(more == .malformed(.tooManyElements, at: 3 + 3 * most))
  }

  @Test(arguments: 0..<200) func `random bytes, and a good message with one changed byte, do no harm`(_ seed: UInt64) {
    var dice = SeededRandom(seed: seed)
    _ = try? VICIMessage(decoding: dice.bytes(upTo: 200))
    var bytes = Sample.bytes
    bytes[dice.below(bytes.count)] = UInt8.random(in: 0...255, using: &dice)
    guard let message = try? VICIMessage(decoding: bytes) else { return }
    #expect((try? message.encoded()) == bytes)
  }
}
