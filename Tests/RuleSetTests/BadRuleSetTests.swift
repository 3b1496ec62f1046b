internal import RuleSets
import Testing

@testable import Core

/// Every document of Tests/bad-rule-sets is refused with exactly the lines that lie beside it.
@Suite struct BadRuleSetTests {
  static let names = Repository.names(in: "Tests/bad-rule-sets", ending: ".json")

  @Test func thereAreManyBadRuleSets() {
    #expect(Self.names.count >= 60)
    #expect(Self.names == Repository.names(in: "Tests/bad-rule-sets", ending: ".expected"))
  }

  @Test(arguments: names) func isRefusedInWords(_ name: String) throws {
    let bytes = try Repository.bytes("Tests/bad-rule-sets/\(name).json")
    let expected = try Repository.text("Tests/bad-rule-sets/\(name).expected")
    let error = #expect(throws: Complaints.self) { try RuleSetDecoder.decode(bytes) }
    #expect(error.map { $0.description + "\n" } == expected)
  }
}

/// Every document of Tests/good-rule-sets is read, and written as a document that is the same rule set.
@Suite struct GoodRuleSetTests {
  static let names = Repository.names(in: "Tests/good-rule-sets", ending: ".json")

  @Test func thereAreGoodRuleSets() { #expect(Self.names.count >= 5) }

  @Test(arguments: names) func isReadAndWritten(_ name: String) throws {
    let ruleSet = try RuleSetDecoder.decode(Repository.bytes("Tests/good-rule-sets/\(name).json"))
    #expect(try RuleSetDecoder.decode(RuleSetEncoder.encode(ruleSet)) == ruleSet)
    #expect(try RuleSetDecoder.decode(RuleSetEncoder.encode(ruleSet, indented: true)) == ruleSet)
  }

  /// `Tests/schema` holds that file against the JSON Schema, and so what the encoder writes.
  @Test(arguments: [("rule-set", "example"), ("rule-set.ipsec", "ipsec-example")])
  func theEncoderWritesTheExampleAsTheSchemaKnowsIt(_ sample: String, _ encoded: String) throws {
    let example = try RuleSetDecoder.decode(Repository.bytes("etc/\(sample).example.json"))
    let written = String(decoding: RuleSetEncoder.encode(example, indented: true), as: UTF8.self) + "\n"
    #expect(try written == Repository.text("Tests/good-rule-sets/\(encoded)-as-encoded.json"))
  }
}
