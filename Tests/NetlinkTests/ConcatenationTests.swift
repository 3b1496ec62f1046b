import Testing

@testable import Netlink

@Suite("Concatenated keys")
struct ConcatenationTests {
  private func messages<T>(_ transaction: inout NFTTransaction, type: UInt16, _ parse: (Message) -> T?) -> [T] {
    var found: [T] = []
    let isWhole = Message.forEach(in: transaction.finish()) { message in
      guard message.type & 0xff == type else { return }
      if let value = parse(message) { found.append(value) }
    }
    #expect(isWhole)
    return found
  }

  private let all = NFTField.allCases

  @Test("of every length are loaded into registers one behind the other, and read back so")
  func registers() throws {
    for count in 1...all.count {
      let expressions = NFTField.load(Array(all.prefix(count))) + [.choose(map: "steering")]
      var transaction = NFTTransaction()
      try transaction.addRule(NFTRule(chain: "steer", expressions: expressions), table: "backhaul")
      let rules = messages(&transaction, type: 6) { NetfilterSocket.attributes($0).flatMap { NFTRule.parse($0)?.rule } }
      #expect(rules == [NFTRule(chain: "steer", expressions: expressions)])
    }
    // What nft(8) writes for `meta protocol . iifname . ether saddr . ip saddr . th dport`.
    let numbers = [0, 1, 5, 7, 8].map { NFTExpression.register(ofWord: $0) }
    #expect(numbers == [1, 9, 13, 15, 3])
  }

  @Test("a register that we do not use, or another that a map asks, is not ours")
  func otherRegisters() throws {
    func parsed(_ name: String, _ fields: [[UInt8]]) -> [NFTExpression]? {
      let expression =
        Datagram.attribute(1, Array(name.utf8) + [0]) + Datagram.attribute(2, fields.flatMap { $0 })
      return Datagram.attribute(1, expression).withUnsafeBytes { NFTExpression.list(Bytes($0)) }
    }
    func number(_ type: UInt16, _ value: UInt32) -> [UInt8] { Datagram.attribute(type, Datagram.raw(value.bigEndian)) }
    // NFTA_META_DREG and NFTA_META_KEY.
    #expect(parsed("meta", [number(1, 9), number(2, 6)]) == [.further(.meta(.incomingName), word: 1)])
    #expect(parsed("meta", [number(1, 2), number(2, 6)]) == [.further(.meta(.incomingName), word: 4)])
    for register: UInt32 in [0, 5, 7, 8, 12, 24, .max] {
      #expect(parsed("meta", [number(1, register), number(2, 6)]) == [.other("meta")], "register \(register)")
    }
    #expect(parsed("meta", [number(3, 9), number(2, 3)]) == [.other("meta")], "written from another register")
    // NFTA_LOOKUP_SET, NFTA_LOOKUP_SREG and NFTA_LOOKUP_DREG.
    let set = Datagram.attribute(1, Array("steering".utf8) + [0])
    #expect(parsed("lookup", [set, number(2, 1), number(3, 0)]) == [.choose(map: "steering")])
    #expect(parsed("lookup", [set, number(2, 9), number(3, 0)]) == [.other("lookup")])
  }

  @Test("a map of them is recognised by its flags, its types, its lengths and its comment", arguments: 2...5)
  func maps(_ count: Int) throws {
    let key = NFTSet.Key.concatenation(Array(all.prefix(count)))
    var transaction = NFTTransaction()
    try transaction.addMap("steering", from: key, table: "backhaul")
    let sets = messages(&transaction, type: 9) { NetfilterSocket.attributes($0).flatMap { NFTSet.parse($0)?.set } }
    #expect(sets == [NFTSet(name: "steering", kind: .verdicts(key))])
    func kind(
      flags: UInt32 = key.flags, type: UInt32 = key.type, length: UInt32 = key.length, lengths: [UInt32] = key.lengths,
      _ data: [UInt8] = key.userData
    ) -> NFTSet.Kind {
      NFTSet.Kind(
        flags: flags, keyType: type, keyLength: length, dataType: NFTSet.Kind.verdictType, lengths: lengths,
        concatenation: data.withUnsafeBytes { NFTConcatenation(userData: Bytes($0)) })
    }
    #expect(kind() == .verdicts(key))
    #expect(kind(flags: key.flags & ~4) == .other, "no ranges")
    #expect(kind(flags: key.flags | 0x10) == .other, "with a timeout")
    #expect(kind(type: key.type ^ 1) == .other)
    #expect(kind(length: key.length + 4) == .other)
    #expect(kind(lengths: []) == .other)
    #expect(kind(lengths: key.lengths.reversed()) == .other)
    #expect(kind([]) == .other)
    #expect(kind(NFTSet.Key.concatenation(all.reversed()).userData) == .other)
  }

  @Test("a comment that is cut off, longer than it says, or of too many fields names none")
  func comments() {
    func fields(_ data: [UInt8]) -> [NFTField]? {
      data.withUnsafeBytes { NFTConcatenation(userData: Bytes($0))?.fields }
    }
    let good = NFTConcatenation([.etherType, .source]).userData
    #expect(fields(good) == [.etherType, .source])
    for count in 0..<good.count { #expect(fields(Array(good.prefix(count))) == nil, "\(count) bytes") }
    // What nft(8) adds when it loads what it has listed.
    #expect(fields(MapFormat.keyOrder + good + [2, 4, 1, 0, 0, 0]) == [.etherType, .source])
    #expect(fields([6] + good.dropFirst()) == nil, "of another type")
    #expect(fields([7, good[1] + 1] + good.dropFirst(2)) == nil, "of another length")
    func text(_ text: String) -> [UInt8] {
      [7, UInt8(truncatingIfNeeded: text.utf8.count + 1)] + Array(text.utf8) + [0]
    }
    #expect(fields(text("meta protocol . ip saddr")) == [.etherType, .source])
    for wrong in [
      "", ".", "meta protocol . ", "meta protocol . x", "meta protocol.ip saddr", "meta  protocol . ip saddr",
    ] {
      #expect(fields(text(wrong)) == nil, "\(wrong)")
    }
    for count in 2...20 {
      let found = fields(text(Array(repeating: "ip saddr", count: count).joined(separator: " . ")))
      #expect((found != nil) == (count <= NFTConcatenation.mostFields), "\(count)")
    }
  }

  @Test("elements of a map have both keys, and pages that each fit their attribute")
  func elements() throws {
    let chain = String(repeating: "c", count: 255)
    let elements = (0..<1_000).map { number in
      NFTMapElement(
        key: [UInt8](repeating: UInt8(number % 256), count: 64), to: [UInt8](repeating: 0xff, count: 64),
        verdict: .goto(chain: chain))
    }
    var transaction = NFTTransaction()
    try transaction.addElements(elements, to: "steering", table: "backhaul")
    var read: [NFTListedElement] = []
    _ = messages(&transaction, type: 12) { message -> Bool? in
      #expect(MapFormat.read(message) { read.append($0) })
      return nil
    }
    #expect(read == elements.map { NFTListedElement(key: $0.key, last: $0.last, verdict: $0.verdict) })
  }

  @Test("an element without its last key, with an empty one, or with more than a verdict is told so")
  func strangeElements() {
    let verdict = Datagram.attribute(
      2,
      Datagram.attribute(
        2,
        Datagram.attribute(1, Datagram.raw(Int32(-4).bigEndian)) + Datagram.attribute(2, Array("hit".utf8) + [0])))
    func key(_ type: UInt16, _ bytes: [UInt8]) -> [UInt8] { Datagram.attribute(type, Datagram.attribute(1, bytes)) }
    func read(_ attributes: [UInt8]) -> NFTListedElement? {
      var datagram = Datagram()
      datagram.message(type: 12, [1, 0, 0, 0] + Datagram.attribute(3, Datagram.attribute(1, attributes)))
      var found: NFTListedElement?
      let isWhole = datagram.bytes.withUnsafeBytes { bytes in
        Message.forEach(in: bytes) { message in _ = MapFormat.read(message) { found = $0 } }
      }
      #expect(isWhole)
      return found
    }
    let goto = NFTExpression.Verdict.goto(chain: "hit")
    #expect(
      read(key(1, [1, 2]) + key(10, [3, 4]) + verdict) == NFTListedElement(key: [1, 2], last: [3, 4], verdict: goto))
    #expect(read(key(1, [1, 2]) + verdict) == NFTListedElement(key: [1, 2], verdict: goto))
    #expect(read(key(1, [1, 2]) + Datagram.attribute(10, []) + verdict)?.last == [])
    #expect(read(key(10, [3, 4]) + verdict)?.key == [])
    // NFTA_SET_ELEM_TIMEOUT
    let timeout = Datagram.attribute(4, [UInt8](repeating: 0, count: 8))
    #expect(read(key(1, [1]) + key(10, [1]) + verdict + timeout)?.verdict == nil)
  }
}
