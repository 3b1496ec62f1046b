/// What a value says of itself to an encoder, before it is text.
enum EncodedValue {
  case null
  case boolean(Bool)
  /// As its digits: no number is rounded on its way.
  case number(String)
  case string(String)
  case list(Branch)
  case object(Branch)
  /// What a superclass says, or will say.
  case later(DocumentEncoder)

  /// The items of a list, or the members of an object. A class, for a container goes on filling it after it was made.
  final class Branch {
    var keys: [String] = []
    var values: [EncodedValue] = []
  }

  init(_ value: some Encodable, _ spelling: KeySpelling) throws {
    let encoder = DocumentEncoder(spelling, keysAreData: spelling.keys != .asTheyAre && value is any KeyedByText)
    try value.encode(to: encoder)
    // A value that says nothing is an object without members.
    self = encoder.value ?? .object(Branch())
  }

  init(_ number: some BinaryInteger) { self = .number(String(number)) }

  init(_ number: Double) throws {
    guard number.isFinite else {
      throw EncodingError.invalidValue(number, EncodingError.Context(codingPath: [], debugDescription: "not finite"))
    }
    let text = String(number)
    self = .number(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
  }
}

/// The encoder of one value.
final class DocumentEncoder: Encoder {
  fileprivate let spelling: KeySpelling
  private let keysAreData: Bool
  fileprivate(set) var value: EncodedValue?

  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(_ spelling: KeySpelling, keysAreData: Bool) {
    self.spelling = spelling
    self.keysAreData = keysAreData
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .object(let branch) = value { return KeyedEncodingContainer(Members(branch, spelling, keysAreData)) }
    let branch = EncodedValue.Branch()
    value = .object(branch)
    return KeyedEncodingContainer(Members(branch, spelling, keysAreData))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .list(let branch) = value { return Items(branch: branch, spelling: spelling) }
    let branch = EncodedValue.Branch()
    value = .list(branch)
    return Items(branch: branch, spelling: spelling)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { Single(encoder: self) }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let branch: EncodedValue.Branch
  let spelling: KeySpelling
  let keysAreData: Bool

  var codingPath: [any CodingKey] { [] }

  init(_ branch: EncodedValue.Branch, _ spelling: KeySpelling, _ keysAreData: Bool) {
    self.branch = branch
    self.spelling = spelling
    self.keysAreData = keysAreData
  }

  private func put(_ key: some CodingKey, _ value: EncodedValue) {
    branch.keys.append(keysAreData ? key.stringValue : spelling.spelled(key.stringValue))
    branch.values.append(value)
  }

  func encodeNil(forKey key: Key) { put(key, .null) }
  func encode(_ value: Bool, forKey key: Key) { put(key, .boolean(value)) }
  func encode(_ value: String, forKey key: Key) { put(key, .string(value)) }
  func encode(_ value: Int, forKey key: Key) { put(key, EncodedValue(value)) }
  func encode(_ value: UInt64, forKey key: Key) { put(key, EncodedValue(value)) }
  func encode(_ value: Double, forKey key: Key) throws { put(key, try EncodedValue(value)) }
  // The other numbers too: each says its own to a container for one value.
  func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws { put(key, try EncodedValue(value, spelling)) }

  func nestedContainer<Inner: CodingKey>(
    keyedBy type: Inner.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Inner> {
    let inner = EncodedValue.Branch()
    put(key, .object(inner))
    return KeyedEncodingContainer(Members<Inner>(inner, spelling, false))
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    let inner = EncodedValue.Branch()
    put(key, .list(inner))
    return Items(branch: inner, spelling: spelling)
  }

  func superEncoder() -> any Encoder { late(SuperKey()) }
  func superEncoder(forKey key: Key) -> any Encoder { late(key) }
  private func late(_ key: some CodingKey) -> any Encoder {
    let encoder = DocumentEncoder(spelling, keysAreData: false)
    put(key, .later(encoder))
    return encoder
  }
}

private struct Items: UnkeyedEncodingContainer {
  let branch: EncodedValue.Branch
  let spelling: KeySpelling

  var codingPath: [any CodingKey] { [] }
  var count: Int { branch.values.count }

  func encodeNil() { branch.values.append(.null) }
  func encode<Value: Encodable>(_ value: Value) throws { branch.values.append(try EncodedValue(value, spelling)) }

  func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type) -> KeyedEncodingContainer<Inner> {
    let inner = EncodedValue.Branch()
    branch.values.append(.object(inner))
    return KeyedEncodingContainer(Members<Inner>(inner, spelling, false))
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    let inner = EncodedValue.Branch()
    branch.values.append(.list(inner))
    return Items(branch: inner, spelling: spelling)
  }

  func superEncoder() -> any Encoder {
    let encoder = DocumentEncoder(spelling, keysAreData: false)
    branch.values.append(.later(encoder))
    return encoder
  }
}

private struct Single: SingleValueEncodingContainer {
  let encoder: DocumentEncoder

  var codingPath: [any CodingKey] { [] }

  func encodeNil() { encoder.value = .null }
  func encode(_ value: Bool) { encoder.value = .boolean(value) }
  func encode(_ value: String) { encoder.value = .string(value) }
  func encode(_ value: Double) throws { encoder.value = try EncodedValue(value) }
  func encode(_ value: Float) throws { encoder.value = try EncodedValue(Double(value)) }
  func encode<Value: Encodable>(_ value: Value) throws {
    if let number = value as? any BinaryInteger {
      encoder.value = EncodedValue(number)
    } else {
      encoder.value = try EncodedValue(value, encoder.spelling)
    }
  }
}
