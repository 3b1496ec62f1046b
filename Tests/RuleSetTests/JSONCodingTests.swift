import FoundationEssentials
import Testing

@testable import RuleSets

/// Foundation's coder is the measure: our own takes its place in the product, byte for byte.
@Suite struct JSONCodingTests {
  enum Colour: String, Codable { case red, darkBlue }

  struct Inner: Codable, Equatable {
    var rttP99Ms: Double?
    var isPrivate = false
    var anInt8: Int8 = -128
    var names: [String] = []
    var tiers: [[Int]] = []
    var details: [String: Int] = [:]
  }

  struct Outer: Codable, Equatable {
    var schema = 1
    var text = ""
    var absent: String?
    var lastURLSeen: String?
    var inner = Inner()
    var list: [Inner] = []
    var byName: [String: Inner] = [:]
    var colour = Colour.darkBlue
    var largest = UInt64.max
    var smallest = Int64.min
    var ratio = 0.5
    var short: Float = 0.25
    var pair: [Int?] = [nil, 1]
  }

  static let values: [Outer] = [
    Outer(),
    Outer(text: "a/b \"c\" \\ \u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f} ü → 🛰 \u{2028}", lastURLSeen: "x"),
    Outer(
      inner: Inner(
        rttP99Ms: 12, isPrivate: true, names: ["", "a"], tiers: [[], [1, 2]], details: ["rttMs": 1, "a b": -2]),
      list: [Inner(), Inner(rttP99Ms: 0.1)], byName: ["fraA": Inner(details: ["X": 0])]),
    Outer(colour: .red, largest: 0, ratio: 1e20, short: 3),
    Outer(ratio: -0.0), Outer(ratio: 1e-7), Outer(ratio: 123_456_789.25), Outer(ratio: .leastNonzeroMagnitude),
  ]

  @Test(arguments: values.indices) func bytesAreFoundations(_ index: Int) throws {
    let value = Self.values[index]
    let theirs = JSONEncoder()
    theirs.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    #expect(try text(JSONCoding().encode(value)) == text(Array(theirs.encode(value))))
    theirs.keyEncodingStrategy = .convertToSnakeCase
    #expect(try text(JSONCoding(keys: .snakeCase).encode(value)) == text(Array(theirs.encode(value))))
  }

  @Test(arguments: values.indices) func valuesComeBack(_ index: Int) throws {
    var value = Self.values[index]
    // `StrictJSON` keeps whole numbers in 64 bits with a sign.
    value.largest = min(value.largest, UInt64(Int64.max))
    for coding in [JSONCoding(), JSONCoding(keys: .snakeCase), JSONCoding(keys: .snakeCase, isIndented: true)] {
      #expect(try coding.decode(Outer.self, from: coding.encode(value)) == value)
    }
  }

  /// A key of any name.
  struct AnyName: Encodable, CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: AnyName.self)
      try container.encode(1, forKey: self)
    }
  }

  @Test(arguments: [
    "name", "isPrivate", "rttP99Ms", "lastURLSeen", "ipv6", "localId", "oneTwoThree", "aB", "snake_case", "x1Y2",
    "Capital",
  ])
  func keysAreSpelledAsFoundationDoes(_ name: String) throws {
    let theirs = JSONEncoder()
    theirs.keyEncodingStrategy = .convertToSnakeCase
    let key = AnyName(stringValue: name)
    #expect(try text(JSONCoding(keys: .snakeCase).encode(key)) == text(Array(theirs.encode(key))))
  }

  struct Narrow: Codable, Equatable {
    var number: Int8
    var text: String?
  }

  @Test(arguments: [
    ("{\"number\":7}", Narrow(number: 7)), ("{\"number\":7.0,\"text\":null,\"new\":[1]}", Narrow(number: 7)),
    ("{\"text\":\"x\",\"number\":-128}", Narrow(number: -128, text: "x")),
  ])
  func whatFitsIsRead(_ json: String, _ expected: Narrow) throws {
    #expect(try JSONCoding().decode(Narrow.self, from: Array(json.utf8)) == expected)
  }

  @Test(arguments: [
    "", "[]", "{}", "{\"number\":null}", "{\"number\":\"7\"}", "{\"number\":128}", "{\"number\":1.5}",
    "{\"number\":7,\"text\":1}",
    "{\"number\":7,\"number\":7}", "{\"number\":7,}", "{\"number\":true}", "7",
  ])
  func anythingElseIsRefused(_ json: String) {
    #expect(throws: (any Error).self) { try JSONCoding().decode(Narrow.self, from: Array(json.utf8)) }
  }

  @Test func whatHasNoJSONIsRefused() {
    for number in [Double.infinity, -.infinity, .nan] {
      #expect(throws: EncodingError.self) { try JSONCoding().encode([number]) }
    }
  }

  /// The one kind of value that says some of itself to an encoder after others.
  class Base: Codable {
    var base = 1
  }
  final class Derived: Base {
    var derived = 2
    override init() { super.init() }
    required init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Keys.self)
      derived = try container.decode(Int.self, forKey: .derived)
      try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Keys.self)
      try super.encode(to: container.superEncoder())
      try container.encode(derived, forKey: .derived)
    }
    enum Keys: CodingKey { case derived }
  }

  @Test func whatIsInheritedHasItsPlace() throws {
    let value = Derived()
    value.base = 7
    let json = try JSONCoding().encode(value)
    #expect(text(json) == "{\"derived\":2,\"super\":{\"base\":7}}")
    #expect(try JSONCoding().decode(Derived.self, from: json).base == 7)
  }

  @Test func indentedTextIsForPeople() throws {
    let json = try JSONCoding(isIndented: true).encode(["b": [1, 2], "a": []])
    #expect(text(json) == "{\n  \"a\": [],\n  \"b\": [\n    1,\n    2\n  ]\n}")
  }

  /// Hundreds of keys, as the slots of a stored rule set have them.
  @Test func manyKeysAreFound() throws {
    let slots = Dictionary(uniqueKeysWithValues: (0..<5_000).map { ("tunnel fra-\($0)", $0) })
    #expect(try JSONCoding().decode([String: Int].self, from: JSONCoding().encode(slots)) == slots)
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
