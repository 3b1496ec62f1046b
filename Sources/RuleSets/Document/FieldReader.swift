/// Reads the fields of one object of a document. Whatever is wrong goes into the book with the field's path, and
/// reading goes on, so that one pass finds everything.
package struct FieldReader {
  /// The object's place in the document, such as `tunnels[1].inner`; empty for the document itself.
  package let path: String
  package let book: ComplaintBook
  let members: [DocumentValue.Member]

  /// Nil, with a complaint, if `value` is not an object. Complains of each key that is not in `keys`, in the words of
  /// `refused` if the key has an entry there.
  package init?(
    _ value: DocumentValue, at path: String = "", keys: [String], refused: [String: String] = [:], book: ComplaintBook
  ) {
    self.init(value, at: path, book: book)
    for member in members where !keys.contains(member.key) {
      book.complain(field(member.key), refused[member.key] ?? Self.unknown(member.key, keys: keys))
    }
  }

  /// Nil, with a complaint, if `value` is not an object. Takes any key.
  init?(_ value: DocumentValue, at path: String, book: ComplaintBook) {
    self.path = path
    self.book = book
    guard case .object(let members) = value else {
      book.complain(path, "expected an object, found \(value.found)")
      return nil
    }
    self.members = members
  }

  /// What to say of a key that the object may not have.
  static func unknown(_ key: String, keys: [String]) -> String {
    if let near = nearest(to: key, among: keys) { return "unknown key; did you mean \(quoted(near))?" }
    return "unknown key; expected " + (keys.count == 1 ? "" : "one of ") + keys.map(quoted).joined(separator: ", ")
  }

  /// The path of a field of this object.
  package func field(_ key: String) -> String { path.isEmpty ? pathStep(key) : "\(path).\(pathStep(key))" }

  /// The value of a key, unjudged; nil where the object does not have the key.
  package subscript(_ key: String) -> DocumentValue? { members.first { $0.key == key }?.value }

  /// Puts a complaint about one of this object's fields into the book. The text is only made where the book takes it.
  package func complain(_ key: String, _ text: @autoclosure () -> String) { book.complain(field(key), text()) }

  /// Nil, with a complaint, where the key is missing or its value is refused.
  package func required<Value>(_ key: String, _ form: Form<Value>) -> Value? {
    guard let value = self[key] else {
      complain(key, "missing; expected \(form.expected)")
      return nil
    }
    return read(value, form) { field(key) }
  }

  /// Nil where the key is missing, and with a complaint where its value is refused.
  package func optional<Value>(_ key: String, _ form: Form<Value>) -> Value? {
    guard let value = self[key] else { return nil }
    if value == .null {
      complain(key, "expected \(form.expected), found null (leave the key out instead)")
      return nil
    }
    return read(value, form) { field(key) }
  }

  /// The default where the key is missing; nil, with a complaint, where the value is refused.
  package func value<Value>(_ key: String, _ form: Form<Value>, default standard: Value) -> Value? {
    self[key] == nil ? standard : optional(key, form)
  }

  /// Nil, with a complaint at `path`, where the value is refused.
  package func read<Value>(_ value: DocumentValue, _ form: Form<Value>, at path: () -> String) -> Value? {
    switch form.judge(value) {
    case .success(let result): return result
    case .failure(let refusal):
      book.complain(path(), refusal.text)
      return nil
    }
  }

  /// The reader of an object in this object; nil if the key is missing, or, with a complaint, if it is none.
  package func object(_ key: String, keys: [String], refused: [String: String] = [:]) -> FieldReader? {
    self[key].flatMap { FieldReader($0, at: field(key), keys: keys, refused: refused, book: book) }
  }

  /// The values of a list; empty if the key is missing. Complains if it is not a list or its length is wrong.
  func values(_ key: String, _ count: ClosedRange<Int>) -> ArraySlice<DocumentValue> {
    guard let value = self[key] else { return [] }
    guard case .list(let values) = value else {
      complain(key, "expected a list, found \(value.found)")
      return []
    }
    if values.count < count.lowerBound {
      complain(
        key,
        "expected at least \(count.lowerBound) item\(count.lowerBound == 1 ? "" : "s"), found "
          + (values.isEmpty ? "an empty list" : "\(values.count)"))
    }
    if values.count > count.upperBound {
      complain(key, "expected at most \(count.upperBound) items, found \(values.count)")
    }
    return values.prefix(count.upperBound)
  }

  /// The items of a list of plain values; those that are refused are left out, with a complaint each.
  package func list<Value>(_ key: String, _ count: ClosedRange<Int>, of form: Form<Value>) -> [Item<Value>] {
    let values = values(key, count)
    var items: [Item<Value>] = []
    items.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      guard let value = read(value, form, at: { "\(field(key))[\(index)]" }) else { continue }
      items.append(Item(index: index, value: value))
    }
    return items
  }

  /// The items of a list of objects, as `read` makes them; those that it refuses are left out.
  package func objects<Value>(
    _ key: String, _ count: ClosedRange<Int>, _ read: (_ index: Int, _ value: DocumentValue, _ path: String) -> Value?
  ) -> [Item<Value>] {
    values(key, count).enumerated().compactMap { index, value in
      read(index, value, "\(field(key))[\(index)]").map { Item(index: index, value: $0) }
    }
  }
}

extension DocumentValue {
  /// The member of this name as one of a fixed set of words: looked at before a reader is made, where the word decides
  /// which keys there are. Nil where it is missing or none of them, which the reader then complains about.
  package func word<Word: RawRepresentable>(_ key: String) -> Word? where Word.RawValue == String {
    guard case .object(let members) = self, case .string(let text)? = members.first(where: { $0.key == key })?.value
    else { return nil }
    return Word(rawValue: text)
  }
}

/// An item of a list, with its place: what is found wrong later can still be named.
package struct Item<Value> {
  package var index: Int
  package var value: Value

  package init(index: Int, value: Value) {
    self.index = index
    self.value = value
  }
}

extension Item: Sendable where Value: Sendable {}
