/// What a document says in one object. `fields` names each field once, with its key, its form, its bounds and the member
/// that holds it. Everything else about a field follows from that statement: the decoder's checks, what the encoder writes,
/// the JSON Schema and the tables in etc/rule-set.md, which take their texts from the comments above the statements. A new
/// field needs a statement and a member.
package protocol Described: SendableMetatype {
  /// What reading begins with. Members that a document may leave out have their defaults; the others stand for nothing, and
  /// no reader sees them: an object without a required field is refused.
  static var blank: Self { get }
  /// Statements of one kind after another, in the order in which the encoder writes them and the tables have them.
  mutating func fields(_ fields: Fields)
  /// What to say of a key that an object of this kind does not have; nil: that it is unknown.
  ///
  /// - Parameters:
  ///   - kind: nil where it cannot be told, or where there are no kinds.
  ///   - kinds: those that have the key.
  static func refusal(of key: String, in kind: String?, known kinds: [String]) -> String?
}

/// An object that has a short form: a name that says it all.
package protocol ShortlyDescribed: Described {
  /// Nil where a name does not say it all.
  var short: Name? { get set }
}

extension Described {
  package static func refusal(of key: String, in kind: String?, known kinds: [String]) -> String? { nil }

  /// Nil, with complaints, where a field that it needs is missing or refused.
  static func read(_ value: DocumentValue, at path: String, index: Int, _ names: NameBook) -> Self? {
    guard let object = FieldReader(value, at: path, book: names.book) else { return nil }
    let fields = Fields(reading: object, index: index, names)
    let place = names.book.place
    var result = blank
    result.fields(fields)
    fields.complainOfStrangers(to: Self.self, at: place)
    return fields.isWhole ? result : nil
  }

  func written(_ names: NameBook) -> DocumentValue {
    let fields = Fields(.write, names)
    var copy = self
    copy.fields(fields)
    return .object(fields.members)
  }

  /// All that its fields say of themselves.
  package static var description: ObjectDescription {
    let fields = Fields(.describe, NameBook(ComplaintBook()))
    var result = blank
    result.fields(fields)
    return fields.description
  }
}

/// The fields of one object, and what they say together.
package struct ObjectDescription: Sendable {
  package internal(set) var fields: [FieldDescription] = []
  package internal(set) var rules: [FieldRule] = []
  /// The field whose word decides which others there are.
  package internal(set) var kindKey: String?
}

/// One field of an object.
package struct FieldDescription: Sendable {
  package var key: String
  package var shape: Shape
  package var presence: Presence
  /// The words of the object's kind that have it; empty: all.
  package var kinds: [String]
  /// Where another key is there, this one may not be, and need not.
  package var insteadOf: String?

  package enum Presence: Sendable {
    case required
    /// What is in force without it is said in words.
    case optional
    case standard(DocumentValue)
  }
}

/// What fields of one object say together, as far as a schema can say it, too.
package enum FieldRule: Sendable {
  case exactlyOne([String])
  case atLeastOne([String])
  case allOrNone([String])
  /// Text of no more than so many bytes, in objects of these kinds.
  case shorter(String, bytes: Int, kinds: [String])
}
