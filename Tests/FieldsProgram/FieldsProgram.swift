import FoundationEssentials
internal import RuleSets

/// `backhaul-fields describe` prints what the fields of a rule set say of themselves. `backhaul-fields mistakes FILE...`
/// makes every mistake that they tell of in the good rule sets of the files, and prints each document with what the decoder
/// makes of it. `backhaul-fields encode FILE` prints a rule set as the encoder writes it. All as JSON.
@main struct FieldsProgram {
  static func main() throws {
    var arguments = CommandLine.arguments.dropFirst()
    switch arguments.popFirst() {
    case "describe": print(Describer.everything().jsonText(indented: true))
    case "encode": for file in arguments { print(text(try ruleSet(file))) }
    case "mistakes": try mistakes(in: Array(arguments))
    default: throw Failure("usage: backhaul-fields describe | mistakes FILE... | encode FILE")
    }
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
  }

  private static func bytes(_ file: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: file))) }

  private static func ruleSet(_ file: String) throws -> RuleSet { try RuleSetDecoder.decode(bytes(file)) }

  private static func text(_ ruleSet: RuleSet) -> String {
    String(decoding: RuleSetEncoder.encode(ruleSet, indented: true), as: UTF8.self)
  }

  private static func mistakes(in files: [String]) throws {
    let samples = try files.map { file in
      // As written: every default is there to be spoilt.
      (
        name: String(file.split(separator: "/").last ?? "").replacing(".json", with: ""),
        document: RuleSetEncoder.document(try ruleSet(file))
      )
    }
    var maker = MistakeMaker(samples)
    maker.makeAll { print($0.jsonText()) }
    let missing = maker.fieldsWithoutSample
    if !missing.isEmpty { throw Failure("no good rule set has " + missing.joined(separator: ", ")) }
  }
}

/// What the fields say of themselves, as a document.
enum Describer {
  /// The rule set, and each object in it, by the type's name.
  static func everything() -> DocumentValue {
    var members: [DocumentValue.Member] = []
    add("", RuleSetEncoder.description, &members)
    return .object(members)
  }

  private static func add(_ name: String, _ object: ObjectDescription, _ members: inout [DocumentValue.Member]) {
    guard !members.contains(where: { $0.key == name }) else { return }
    var parts: [DocumentValue.Member] = [
      .init("fields", .list(object.fields.map(field))), .init("rules", .list(object.rules.map(rule))),
    ]
    if let key = object.kindKey { parts.append(.init("kind", .string(key))) }
    members.append(.init(name, .object(parts)))
    for type in object.fields.flatMap({ types($0.shape) }) { add("\(type)", type.description, &members) }
  }

  private static func types(_ shape: Shape) -> [any Described.Type] {
    switch shape {
    case .object(let type): [type]
    case .list(_, let item, _): types(item)
    case .either(let one, let other): types(one) + types(other)
    default: []
    }
  }

  private static func field(_ field: FieldDescription) -> DocumentValue {
    var members: [DocumentValue.Member] = [
      .init("key", .string(field.key)), .init("shape", shape(field.shape)), .init("kinds", texts(field.kinds)),
    ]
    switch field.presence {
    case .required: members.append(.init("required", .boolean(true)))
    case .optional: break
    case .standard(let value): members.append(.init("default", value))
    }
    if let key = field.insteadOf { members.append(.init("instead_of", .string(key))) }
    return .object(members)
  }

  private static func shape(_ shape: Shape) -> DocumentValue {
    switch shape {
    case .boolean: .object([.init("is", .string("boolean"))])
    case .integer(let range, let unit):
      .object([
        .init("is", .string("integer")), .init("minimum", .integer(range.lowerBound)),
        .init("maximum", .integer(range.upperBound)), .init("unit", .string(unit)),
      ])
    case .text(let name, let bytes, _):
      .object([
        .init("is", .string("text")), .init("name", .string(name)), .init("least", .integer(Int64(bytes.lowerBound))),
        .init("most", .integer(Int64(bytes.upperBound))),
      ])
    case .words(let words): .object([.init("is", .string("words")), .init("words", texts(words))])
    case .constant(let value): .object([.init("is", .string("constant")), .init("value", value)])
    case .either(let one, let other):
      .object([.init("is", .string("either")), .init("of", .list([self.shape(one), self.shape(other)]))])
    case .list(let count, let item, let isUnique):
      .object([
        .init("is", .string("list")), .init("least", .integer(Int64(count.lowerBound))),
        .init("most", .integer(Int64(count.upperBound))), .init("of", self.shape(item)),
        .init("unique", .boolean(isUnique)),
      ])
    case .object(let type): .object([.init("is", .string("object")), .init("type", .string("\(type)"))])
    case .other(let text): .object([.init("is", .string("other")), .init("text", .string(text))])
    }
  }

  private static func rule(_ rule: FieldRule) -> DocumentValue {
    func keys(_ name: String, _ keys: [String]) -> DocumentValue {
      .object([.init("is", .string(name)), .init("keys", texts(keys))])
    }
    return switch rule {
    case .exactlyOne(let list): keys("exactly_one", list)
    case .atLeastOne(let list): keys("at_least_one", list)
    case .allOrNone(let list): keys("all_or_none", list)
    case .shorter(let key, let bytes, let kinds):
      .object([
        .init("is", .string("shorter")), .init("key", .string(key)), .init("most", .integer(Int64(bytes))),
        .init("kinds", texts(kinds)),
      ])
    }
  }

  private static func texts(_ texts: [String]) -> DocumentValue { .list(texts.map { .string($0) }) }
}
