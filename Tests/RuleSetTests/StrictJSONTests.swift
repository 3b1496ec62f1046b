import FoundationEssentials
internal import RuleSets
import Testing

@testable import Core

@Suite struct StrictJSONTests {
  private func parse(_ text: String, _ limits: StrictJSON.Limits = .init()) throws -> DocumentValue {
    try StrictJSON.parse(Array(text.utf8), limits: limits)
  }

  private func refusal(of text: String, _ limits: StrictJSON.Limits = .init()) -> String? {
    do {
      _ = try parse(text, limits)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func readsEveryKindOfValue() throws {
    let value = try parse(#" {"a": [null, true, false], "b": {"c": -12, "d": 1.5e3, "e": ""}, "f": []} "#)
    #expect(
      value
        == .object([
          .init("a", .list([.null, .boolean(true), .boolean(false)])),
          .init("b", .object([.init("c", .integer(-12)), .init("d", .decimal(1500)), .init("e", .string(""))])),
          .init("f", .list([])),
        ]))
  }

  @Test func readsEscapes() throws {
    #expect(try parse(#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00 é""#) == .string("\"\\/\u{8}\u{c}\n\r\té😀 é"))
  }

  @Test func keepsWholeNumbersOf64BitsExact() throws {
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("-9223372036854775808") == .integer(.min))
    #expect(try parse("9223372036854775808") == .decimal(9223372036854775808))
    #expect(try parse("-0") == .integer(0))
  }

  @Test(arguments: [
    ("{\"a\":1,\"b\":[{\"c\":1,\"c\":2}]}", "b[0].c: line 1, column 20: the key \"c\" is there twice"),
    ("{\"a\\u001b[31m\":{\"b c\":}}", "\"a\\u{1b}[31m\".\"b c\": line 1, column 23: expected a value, found \"}\""),
    ("{\n \"é\": \"ü\", x}", "line 2, column 12: expected a key in double quotes, found \"x\""),
    ("\"\\u12\"", "line 1, column 2: expected four hexadecimal digits after \\u"),
    ("\"\\ud800\\u0041\"", "line 1, column 2: expected a whole surrogate pair, found half of one"),
    ("\"\\udc00\"", "line 1, column 2: expected a whole surrogate pair, found half of one"),
    ("1.e3", "line 1, column 3: expected a digit after the decimal point"),
    ("1e+", "line 1, column 4: expected a digit in the exponent"),
    ("-", "line 1, column 2: expected a digit, found the end of the document"),
    ("[,1]", "line 1, column 2: expected a value, found \",\""),
    ("[1,,2]", "line 1, column 4: expected a value, found \",\""),
    ("nul", "line 1, column 1: expected a value, found \"n\""),
    ("[1", "line 1, column 3: expected \",\" or \"]\", found the end of the document"),
  ])
  func refusesWithThePlace(_ text: String, _ expected: String) {
    // A list's item or key stands before the place where there is one.
    #expect(refusal(of: text)?.hasSuffix(expected) == true, "\(refusal(of: text) ?? "accepted")")
  }

  @Test func findsARepeatedKeyAmongMany() {
    let keys = (0..<2000).map { "\"k\($0)\":0" }
    #expect(refusal(of: "{\(keys.joined(separator: ","))}") == nil)
    #expect(refusal(of: "{\(keys.joined(separator: ",")),\"k1234\":0}")?.hasPrefix("k1234: ") == true)
    #expect(refusal(of: "{\"k\":0,\(keys.joined(separator: ",")),\"k\":0}")?.hasPrefix("k: ") == true)
  }

  @Test func boundsWhatADocumentMayCost() {
    let nested = String(repeating: "[", count: 100_000)
    #expect(refusal(of: nested)?.hasSuffix("expected at most 32 lists and objects inside each other") == true)
    #expect(refusal(of: String(repeating: "[", count: 32) + String(repeating: "]", count: 32)) == nil)
    #expect(refusal(of: "[0,0,0]", .init(values: 3))?.hasSuffix("expected at most 3 values in the document") == true)
    #expect(refusal(of: "[0,0,0]", .init(values: 4)) == nil)
    #expect(refusal(of: "[0]", .init(bytes: 2)) == "expected a document of at most 2 bytes, found 3")
  }

  @Test func refusesEveryCutOffDocument() throws {
    let bytes = try Repository.bytes("etc/rule-set.example.json")
    let end = try #require(bytes.lastIndex(of: UInt8(ascii: "}")))
    for count in 0...end {
      #expect(throws: Complaint.self, "\(count) bytes") { try StrictJSON.parse(Array(bytes[..<count])) }
    }
  }

  @Test func survivesEveryAlteredByte() throws {
    let bytes = try Repository.bytes("Tests/good-rule-sets/escapes.json")
    for index in bytes.indices {
      for byte: UInt8 in [0, 0x22, 0x2c, 0x5b, 0x5c, 0x7b, 0x7d, 0x80, 0xff] {
        var altered = bytes
        altered[index] = byte
        // Refused or read, but never a crash.
        _ = try? RuleSetDecoder.decode(altered)
      }
    }
  }

  /// The library reads the same out of each document that the strict scan lets through.
  @Test(arguments: GoodRuleSetTests.names) func agreesWithTheLibrary(_ name: String) throws {
    let bytes = try Repository.bytes("Tests/good-rule-sets/\(name).json")
    let library = try JSONDecoder().decode(LibraryValue.self, from: Data(bytes))
    #expect(LibraryValue(try StrictJSON.parse(bytes)) == library)
  }

  @Test func writesWhatItReads() throws {
    let value = DocumentValue.list([
      .object([.init("a\"\\\n\u{7f}é", .string("\u{1}😀/")), .init("b", .list([.integer(1), .decimal(0.25)]))]),
      .object([]), .list([]), .null, .boolean(true),
    ])
    for indented in [false, true] { #expect(try parse(value.jsonText(indented: indented)) == value) }
  }
}

/// A tree as JSONDecoder makes it: keys have no order, and 1 equals 1.0.
private indirect enum LibraryValue: Decodable, Equatable {
  case null
  case boolean(Bool)
  case number(Double)
  case string(String)
  case list([LibraryValue])
  case object([String: LibraryValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let flag = try? container.decode(Bool.self) {
      self = .boolean(flag)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else if let text = try? container.decode(String.self) {
      self = .string(text)
    } else if let items = try? container.decode([LibraryValue].self) {
      self = .list(items)
    } else {
      self = .object(try container.decode([String: LibraryValue].self))
    }
  }

  init(_ value: DocumentValue) {
    switch value {
    case .null: self = .null
    case .boolean(let flag): self = .boolean(flag)
    case .integer(let number): self = .number(Double(number))
    case .decimal(let number): self = .number(number)
    case .string(let text): self = .string(text)
    case .list(let items): self = .list(items.map { LibraryValue($0) })
    case .object(let members):
      self = .object(Dictionary(members.map { ($0.key, LibraryValue($0.value)) }, uniquingKeysWith: { $1 }))
    }
  }
}
