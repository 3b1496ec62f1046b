internal import RuleSets

/// Makes, in good rule sets, every mistake that the fields' descriptions tell of, and some changes that are none.
struct MistakeMaker {
  typealias Sample = (name: String, document: DocumentValue)

  private let samples: [Sample]
  /// A value of each field, from whichever sample has one: `Tunnel.mtu`.
  private var values: [String: DocumentValue] = [:]
  /// How often a change was made of a field: the first few places tell as much as all.
  private var made: [String: Int] = [:]

  /// Kinds of texts that had their turn.
  private var spoilt: Set<String> = []

  init(_ samples: [Sample]) {
    self.samples = samples
    for sample in samples {
      Self.walk(sample.document) { place in
        for member in place.members where values["\(place.type).\(member.key)"] == nil {
          values["\(place.type).\(member.key)"] = member.value
        }
      }
    }
  }

  /// Described fields that no sample has, as `Tunnel.mtu`.
  var fieldsWithoutSample: [String] {
    var seen: Set<String> = []
    var missing: Set<String> = []
    for sample in samples {
      Self.walk(sample.document) { place in
        guard seen.insert(place.type).inserted else { return }
        missing.formUnion(place.all.fields.map { "\(place.type).\($0.key)" }.filter { values[$0] == nil })
      }
    }
    return missing.sorted()
  }

  /// An object of a document, and what it says of its fields.
  struct Place {
    var steps: [Step]
    var type: String
    var all: ObjectDescription
    var members: [DocumentValue.Member]

    var kind: String? {
      guard let key = all.kindKey, case .string(let text)? = members.first(where: { $0.key == key })?.value else {
        return nil
      }
      return text
    }

    func has(_ key: String) -> Bool { members.contains { $0.key == key } }

    func isOfKind(_ kinds: [String]) -> Bool { kinds.isEmpty || kinds.contains(kind ?? "") }
  }

  enum Step {
    case key(String)
    case index(Int)
  }

  private static func walk(_ document: DocumentValue, _ visit: (Place) -> Void) {
    walk(document, RuleSetEncoder.description, "RuleSet", [], visit)
  }

  private static func walk(
    _ value: DocumentValue, _ all: ObjectDescription, _ type: String, _ steps: [Step], _ visit: (Place) -> Void
  ) {
    guard case .object(let members) = value else { return }
    visit(Place(steps: steps, type: type, all: all, members: members))
    for field in all.fields {
      guard let value = members.first(where: { $0.key == field.key })?.value else { continue }
      walk(value, field.shape, steps + [.key(field.key)], visit)
    }
  }

  private static func walk(_ value: DocumentValue, _ shape: Shape, _ steps: [Step], _ visit: (Place) -> Void) {
    switch (shape, value) {
    case (.object(let type), _): walk(value, type.description, "\(type)", steps, visit)
    case (.either(_, .object(let type)), .object): walk(value, type.description, "\(type)", steps, visit)
    case (.list(_, let item, _), .list(let values)):
      for (index, value) in values.enumerated() { walk(value, item, steps + [.index(index)], visit) }
    default: break
    }
  }

  // MARK: Changes

  /// Gives each changed document to `tell`, with the decoder's answer, and whether it is a mistake.
  mutating func makeAll(_ tell: (DocumentValue) -> Void) {
    for sample in samples {
      var places: [Place] = []
      Self.walk(sample.document) { places.append($0) }
      for place in places {
        for (change, isMistake, steps, value) in changes(of: place) {
          let name = "\(place.type) \(change)"
          made[name, default: 0] += 1
          guard made[name, default: 0] <= 2 else { continue }
          let document = sample.document.replacing(steps[...], with: value)
          var answer: [DocumentValue.Member] = [
            .init("change", .string("\(name), in \(sample.name)")), .init("mistake", .boolean(isMistake)),
          ]
          do throws(Complaints) {
            let ruleSet = try RuleSetDecoder.decode(document)
            answer.append(.init("accepted", .boolean(true)))
            // What was changed to is what is written.
            let written = RuleSetEncoder.document(ruleSet)
            if let value, !isMistake, written.at(steps[...]) != value { answer.append(.init("lost", .boolean(true))) }
          } catch {
            answer.append(.init("accepted", .boolean(false)))
            answer.append(.init("why", .string(error.all.first?.description ?? "")))
          }
          tell(.object(answer + [.init("document", document)]))
        }
        for field in place.all.fields { spoilTexts(of: field, in: place, of: sample, tell) }
      }
    }
  }

  /// Puts characters into one text of each kind, and tells whether the text's own form refuses the outcome.
  private mutating func spoilTexts(
    of field: FieldDescription, in place: Place, of sample: Sample, _ tell: (DocumentValue) -> Void
  ) {
    var steps = place.steps + [.key(field.key)]
    var shape = field.shape
    if case .list(_, let item, _) = shape { (shape, steps) = (item, steps + [.index(0)]) }
    let expected = shape.expected
    // The text that may stand in a number's place has a form of its own.
    if case .either(.integer, let text) = shape { shape = text }
    guard case .text(let kind, _, _) = shape, case .string(let text)? = sample.document.at(steps[...]),
      spoilt.insert(kind).inserted
    else { return }
    let middle = text.index(text.startIndex, offsetBy: text.count / 2)
    for scalar in (1...0x7f).compactMap({ Unicode.Scalar($0) }) + ["ä"] {
      // Of letters and digits some tell as much as all.
      if scalar.properties.isAlphabetic || scalar.properties.numericType != nil,
        !"azAZ09xä".unicodeScalars.contains(scalar)
      {
        continue
      }
      for index in [text.startIndex, middle, text.endIndex] {
        var changed = text
        changed.insert(Character(scalar), at: index)
        let document = sample.document.replacing(steps[...], with: .string(changed))
        var answer: [DocumentValue.Member] = [.init("kind", .string(kind)), .init("text", .string(changed))]
        do throws(Complaints) {
          _ = try RuleSetDecoder.decode(document)
          answer.append(.init("accepted", .boolean(true)))
        } catch {
          let isForms = error.all.contains { $0.text.hasPrefix("expected \(expected)") }
          answer += [.init("accepted", .boolean(false)), .init("mistake", .boolean(isForms))]
        }
        tell(.object(answer + [.init("document", document)]))
      }
    }
  }

  private typealias Change = (name: String, isMistake: Bool, steps: [Step], value: DocumentValue?)

  private func changes(of place: Place) -> [Change] {
    var changes: [Change] = [
      ("has an unknown key", true, place.steps + [.key("nonesuch")], .integer(1))
    ]
    for field in place.all.fields {
      let steps = place.steps + [.key(field.key)]
      let name = field.key
      let other = values["\(place.type).\(name)"] ?? .integer(1)
      guard place.isOfKind(field.kinds) else {
        changes.append(("of another kind has \(name)", true, steps, other))
        continue
      }
      if let key = field.insteadOf, place.has(key) {
        changes.append(("has \(name) beside \(key)", true, steps, other))
        continue
      }
      let isRequired = if case .required = field.presence { true } else { false }
      if place.has(name) { changes.append(("without \(name)", isRequired, steps, nil)) }
      changes += Self.mistakes(field.shape).map { ("\(name) \($0)", true, steps, $1) }
      changes += Self.variations(field.shape).map { ("\(name) \($0)", false, steps, $1) }
      if case .list(let count, let item, let isUnique) = field.shape,
        case .list(let values)? = place.members.first(where: { $0.key == name })?.value, let first = values.first
      {
        if isUnique { changes.append(("\(name) twice", true, steps, .list(values + [first]))) }
        changes.append(
          ("\(name) too many", true, steps, .list(Array(repeating: first, count: count.upperBound + 1))))
        changes += Self.mistakes(item).map { ("\(name)[0] \($0)", true, steps + [.index(0)], $1) }
        changes += Self.variations(item).map { ("\(name)[0] \($0)", false, steps + [.index(0)], $1) }
      }
    }
    return changes + place.all.rules.flatMap { breaches(of: $0, place) }
  }

  private func breaches(of rule: FieldRule, _ place: Place) -> [Change] {
    func object(_ members: [DocumentValue.Member]) -> DocumentValue { .object(members) }
    switch rule {
    case .exactlyOne(let keys), .atLeastOne(let keys):
      var changes: [Change] = [
        (
          "without \(keys.joined(separator: ", "))", true, place.steps,
          object(place.members.filter { !keys.contains($0.key) })
        )
      ]
      if case .exactlyOne = rule, let missing = keys.first(where: { !place.has($0) }) {
        let value = values["\(place.type).\(missing)"] ?? .string("x")
        changes.append(("with both \(keys.joined(separator: ", "))", true, place.steps + [.key(missing)], value))
      }
      return changes
    case .allOrNone(let keys):
      return keys.filter { place.has($0) }.map { ("without \($0) alone", true, place.steps + [.key($0)], nil) }
    case .shorter(let key, let bytes, let kinds):
      guard place.isOfKind(kinds) else { return [] }
      let text = String(repeating: "a", count: bytes + 1)
      return [("\(key) longer than \(bytes)", true, place.steps + [.key(key)], .string(text))]
    }
  }

  /// Values that no field of this shape takes.
  private static func mistakes(_ shape: Shape) -> [(String, DocumentValue)] {
    var all: [(String, DocumentValue)] = [
      ("null", .null), ("a boolean", .boolean(true)), ("a number", .integer(7)), ("a decimal", .decimal(1.5)),
      ("an empty text", .string("")), ("a text", .string("No Such \u{1}!")), ("an empty list", .list([])),
      ("an empty object", .object([])), ("a list of a list", .list([.list([])])),
    ]
    func drop(_ names: String...) { all.removeAll { names.contains($0.0) } }
    switch shape {
    case .boolean: drop("a boolean")
    case .integer(let range, _):
      if range.contains(7) { drop("a number") }
      all += [("below", .integer(range.lowerBound - 1)), ("above", .integer(range.upperBound + 1))]
    case .text(_, let bytes, _):
      all += [
        ("too long", .string(String(repeating: "a", count: bytes.upperBound + 1))),
        ("not ASCII", .string("aä\u{7f}")), ("with a line's end", .string("a\n")),
      ]
    case .words(let words):
      all += [("another word", .string("nonesuch")), ("in capitals", .string(words.first?.uppercased() ?? ""))]
    case .constant(.integer(let number)): all.append(("another number", .integer(number + 1)))
    case .either(.integer(let range, let unit), _):
      all = mistakes(.integer(range, unit: unit)) + [("another word", .string("nonesuch"))]
    case .list(let count, _, _): if count.lowerBound == 0 { drop("an empty list") }
    case .constant, .either, .object, .other: break
    }
    return all
  }

  /// Values that a field of this shape takes, as long as no other field says otherwise.
  private static func variations(_ shape: Shape) -> [(String, DocumentValue)] {
    switch shape {
    case .boolean: [("true", .boolean(true)), ("false", .boolean(false))]
    case .integer(let range, _):
      [("the least", .integer(range.lowerBound)), ("the most", .integer(range.upperBound))]
    case .either(.integer(let range, let unit), _): variations(.integer(range, unit: unit))
    case .words(let words): words.map { ("\($0)", .string($0)) }
    default: []
    }
  }
}

extension DocumentValue {
  /// With another value in one place; nil takes the key away. A key that is not there yet is added.
  func replacing(_ steps: ArraySlice<MistakeMaker.Step>, with value: DocumentValue?) -> DocumentValue {
    guard let step = steps.first else { return value ?? .null }
    let rest = steps.dropFirst()
    switch (step, self) {
    case (.key(let key), .object(var members)):
      let index = members.firstIndex { $0.key == key }
      if rest.isEmpty && value == nil {
        members.removeAll { $0.key == key }
      } else if let index {
        members[index].value = members[index].value.replacing(rest, with: value)
      } else {
        members.append(.init(key, DocumentValue.null.replacing(rest, with: value)))
      }
      return .object(members)
    case (.index(let index), .list(var items)) where items.indices.contains(index):
      items[index] = items[index].replacing(rest, with: value)
      return .list(items)
    default: return self
    }
  }

  func at(_ steps: ArraySlice<MistakeMaker.Step>) -> DocumentValue? {
    guard let step = steps.first else { return self }
    switch (step, self) {
    case (.key(let key), .object(let members)):
      return members.first { $0.key == key }?.value.at(steps.dropFirst())
    case (.index(let index), .list(let items)) where items.indices.contains(index):
      return items[index].at(steps.dropFirst())
    default: return nil
    }
  }
}
