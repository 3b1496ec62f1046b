/// The statements of an object's fields. What a statement does depends on the task: it reads its field from a document,
/// writes it into one, or tells what there is to tell of it.
package final class Fields {
  enum Task {
    case read
    /// The object's kind is not known, or has no such field: that the key is there is all that is looked at.
    case note
    case write
    case describe
  }

  private(set) var task: Task
  /// Of the document; nil where nothing is read.
  private let object: FieldReader?
  let names: NameBook
  /// The object's place in its list.
  let index: Int
  /// False where a field that the object needs is missing or refused.
  var isWhole = true
  /// Of the object's keys those that have a statement.
  private var found = 0
  /// What was written.
  private(set) var members: [DocumentValue.Member] = []
  private(set) var description = ObjectDescription()
  /// The fields that are described now belong to these kinds, or stand instead of a key.
  private var kinds: [String] = []
  private var insteadOf: String?

  init(reading object: FieldReader, index: Int = 0, _ names: NameBook) {
    (task, self.object, self.index, self.names) = (.read, object, index, names)
  }

  init(_ task: Task, _ names: NameBook) { (self.task, object, index, self.names) = (task, nil, 0, names) }

  var isReading: Bool { task == .read }

  /// The place of a field of this object in the document.
  func path(_ key: String) -> String { object?.field(key) ?? key }

  /// Whether the document has the key.
  func has(_ key: String) -> Bool { object?[key] != nil }

  /// The object is refused; and why, at one of its fields, or at the object itself.
  private func refuse(_ key: String? = nil, _ text: @autoclosure () -> String) {
    isWhole = false
    complain(key, text())
  }

  /// Complains, and the object can still be judged.
  func complain(_ key: String? = nil, _ text: @autoclosure () -> String) {
    names.book.complain(key.map { path($0) } ?? object?.path ?? "", text())
  }

  // MARK: Statements of one value

  /// A field that must be there.
  func required<Value: Writable>(_ key: String, _ form: Form<Value>, _ value: inout Value) {
    state(key, form.shape, .required) {
      take($0, form, &value)
    } write: {
      value.written(as: form.shape)
    }
  }

  /// A field that must be there, of a member that objects of another kind do not have.
  func required<Value: Writable>(_ key: String, _ form: Form<Value>, _ value: inout Value?) {
    state(key, form.shape, .required) {
      take($0, form, &value)
    } write: {
      value?.written(as: form.shape)
    }
  }

  /// A field that may be left out; its default is what the blank has.
  func standard<Value: Writable>(_ key: String, _ form: Form<Value>, _ value: inout Value) {
    state(key, form.shape, .standard) {
      take($0, form, &value)
    } write: {
      value.written(as: form.shape)
    }
  }

  /// A field that may be left out: nil then.
  func optional<Value: Writable>(_ key: String, _ form: Form<Value>, _ value: inout Value?) {
    state(key, form.shape, .optional) {
      take($0, form, &value)
    } write: {
      value?.written(as: form.shape)
    }
  }

  /// Nil, or what to complain of.
  private func take<Value>(_ given: DocumentValue, _ form: Form<Value>, _ value: inout Value) -> String? {
    switch form.judge(given) {
    case .success(let taken):
      value = taken
      return nil
    case .failure(let refusal): return refusal.text
    }
  }

  private func take<Value>(_ given: DocumentValue, _ form: Form<Value>, _ value: inout Value?) -> String? {
    switch form.judge(given) {
    case .success(let taken):
      value = taken
      return nil
    case .failure(let refusal): return refusal.text
    }
  }

  private enum Presence { case required, standard, optional }

  /// What all statements of one value have in common. It knows nothing of the value's type, so that it is compiled once.
  private func state(
    _ key: String, _ shape: Shape, _ presence: Presence, read: (DocumentValue) -> String?,
    write put: () -> DocumentValue?
  ) {
    switch task {
    case .read:
      guard let given = given(key) else {
        if presence == .required { refuse(key, "missing; expected \(shape.expected)") }
        return
      }
      if case .null = given, presence != .required {
        complain(key, "expected \(shape.expected), found null (leave the key out instead)")
      } else if let text = read(given) {
        complain(key, text)
      } else {
        return
      }
      if presence != .optional { isWhole = false }
    case .note: note(key)
    case .write: if let value = put() { write(key, value) }
    case .describe:
      switch presence {
      case .required: describe(key, shape, .required)
      case .optional: describe(key, shape, .optional)
      case .standard: describe(key, shape, put().map { .standard($0) } ?? .optional)
      }
    }
  }

  /// A field that has one value only.
  func constant(_ key: String, _ value: Int64) {
    switch task {
    case .read, .note: note(key)
    case .write: write(key, .integer(value))
    case .describe: describe(key, .constant(.integer(value)), .required)
    }
  }

  /// An object in this object, which may be left out: nil then.
  func object<Value: Described>(_ key: String, _ value: inout Value?) {
    switch task {
    case .read: if let given = given(key) { value = .read(given, at: path(key), index: 0, names) }
    case .note: note(key)
    case .write: if let value { write(key, value.written(names)) }
    case .describe: describe(key, .object(Value.self), .optional)
    }
  }

  /// An object in this object that must be there; `expected` tells what it is.
  func object<Value: Described>(_ key: String, _ value: inout Value, expected: @autoclosure () -> String) {
    switch task {
    case .read:
      guard let given = given(key) else { return refuse(key, "missing; expected \(expected())") }
      if let read = Value.read(given, at: path(key), index: 0, names) { value = read } else { isWhole = false }
    case .note: note(key)
    case .write: write(key, value.written(names))
    case .describe: describe(key, .object(Value.self), .required)
    }
  }

  // MARK: Kinds

  /// The field whose word decides which others there are; see `only`. Nil where it is not known.
  func kind<Kind: Writable & Equatable>(_ key: String, _ form: Form<Kind>, _ kind: inout Kind) -> Kind?
  where Kind: RawRepresentable, Kind.RawValue == String {
    required(key, form, &kind)
    switch task {
    case .read:
      guard case .string(let text) = object?[key] else { return nil }
      return Kind(rawValue: text)
    case .note: return nil
    case .write: return kind
    case .describe:
      description.kindKey = key
      return nil
    }
  }

  /// Fields that objects of some kinds have. While the kind is not known their keys are taken, unread.
  func only<Kind: RawRepresentable & Equatable>(_ kinds: Kind..., of kind: Kind?, _ fields: () -> Void)
  where Kind.RawValue == String {
    switch task {
    case .describe:
      self.kinds = kinds.map(\.rawValue)
      fields()
      self.kinds = []
    case .read where kind == nil:
      task = .note
      fields()
      task = .read
    default: if let kind, kinds.contains(kind) { fields() }
    }
  }

  /// Fields that are there where the key is not, and else refused with these words.
  func insteadOf(_ key: String, _ isWritten: Bool, _ text: @autoclosure () -> String, _ fields: () -> Void) {
    switch task {
    case .read where has(key):
      task = .note
      refusal = text()
      fields()
      (task, refusal) = (.read, nil)
    case .describe:
      insteadOf = key
      fields()
      insteadOf = nil
    case .write: if isWritten { fields() }
    default: fields()
    }
  }

  private var refusal: String?

  // MARK: What fields say together

  /// Of the keys exactly one is there.
  func exactlyOne(_ one: String, _ other: String) {
    if task == .describe { description.rules.append(.exactlyOne([one, other])) }
    guard task == .read, has(one) == has(other) else { return }
    refuse(nil, "expected either \(quoted(one)) or \(quoted(other)), found \(has(one) ? "both" : "neither")")
  }

  /// Of the keys at least one is there.
  func atLeastOne(_ keys: String...) {
    if task == .describe { description.rules.append(.atLeastOne(keys)) }
    guard task == .read, !keys.contains(where: has) else { return }
    let others = keys.count == 2 ? "or both, found neither" : "or several of them, found none"
    refuse(nil, "expected \(keys.joined(separator: ", ")) \(others)")
  }

  /// Both keys are there, or neither.
  func bothOrNeither(_ one: String, _ other: String, because reason: @autoclosure () -> String) {
    if task == .describe { description.rules.append(.allOrNone([one, other])) }
    guard task == .read, has(one) != has(other) else { return }
    complain(has(one) ? other : one, "missing; \(reason())")
  }

  /// A text that has less room here than elsewhere.
  func shorter(_ key: String, _ bytes: Int, than text: String, because reason: @autoclosure () -> String) {
    if task == .describe { description.rules.append(.shorter(key, bytes: bytes, kinds: kinds)) }
    guard task == .read, text.utf8.count > bytes else { return }
    complain(key, "expected at most \(bytes) characters, found \(text.utf8.count) (\(reason()))")
  }

  // MARK: What statements are made of

  /// Complains of keys that the object may not have, before anything else that is wrong with it. To be called when its
  /// fields have been read.
  ///
  /// - Parameter place: where complaints of the object begin in the book.
  func complainOfStrangers(to type: any Described.Type, at place: Int) {
    guard let object, found < object.members.count else { return }
    let all = type.description
    let kind = kind(all)
    let known = all.fields.filter { $0.kinds.isEmpty || kind == nil || $0.kinds.contains(kind ?? "") }.map(\.key)
    var complaints: [Complaint] = []
    var others = 0
    for key in object.members.map(\.key) where !known.contains(key) {
      // No text is made that the book would not take: a hostile document has half a million strangers.
      guard complaints.count < ComplaintBook.limit else {
        others += 1
        continue
      }
      let kinds = all.fields.filter { $0.key == key }.flatMap(\.kinds)
      let text = type.refusal(of: key, in: kind, known: kinds) ?? FieldReader.unknown(key, keys: known)
      complaints.append(Complaint(field: object.field(key), text))
    }
    names.book.complain(at: place, complaints, others: others)
  }

  /// The object's kind; nil where it is none that there is.
  private func kind(_ all: ObjectDescription) -> String? {
    guard let key = all.kindKey, case .string(let text) = object?[key],
      case .words(let words)? = all.fields.first(where: { $0.key == key })?.shape, words.contains(text)
    else { return nil }
    return text
  }

  func given(_ key: String) -> DocumentValue? {
    guard let value = object?[key] else { return nil }
    found += 1
    return value
  }

  func note(_ key: String) {
    guard given(key) != nil, let refusal else { return }
    complain(key, refusal)
  }

  /// The items of a list; those beyond what it may hold are left out.
  func values(_ key: String, _ count: ClosedRange<Int>) -> ArraySlice<DocumentValue> {
    object?.values(key, count) ?? []
  }

  func write(_ key: String, _ value: DocumentValue) { members.append(.init(key, value)) }

  func describe(_ key: String, _ shape: Shape, _ presence: FieldDescription.Presence) {
    description.fields.append(
      FieldDescription(key: key, shape: shape, presence: presence, kinds: kinds, insteadOf: insteadOf))
  }
}
