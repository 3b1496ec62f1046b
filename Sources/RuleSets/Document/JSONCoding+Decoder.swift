/// The decoder of one value out of a document.
struct DocumentDecoder: Decoder {
  fileprivate let value: DocumentValue
  fileprivate let spelling: KeySpelling
  private let keysAreData: Bool
  let codingPath: [any CodingKey]

  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(_ value: DocumentValue, _ spelling: KeySpelling) {
    self.init(value, spelling, keysAreData: false, codingPath: [])
  }

  fileprivate init(_ value: DocumentValue, _ spelling: KeySpelling, keysAreData: Bool, codingPath: [any CodingKey]) {
    self.value = value
    self.spelling = spelling
    self.keysAreData = keysAreData
    self.codingPath = codingPath
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .object(let members) = value else { throw mismatch([String: Any].self) }
    return KeyedDecodingContainer(Members(self, members, keysAreData ? nil : spelling))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .list(let items) = value else { throw mismatch([Any].self) }
    return Items(decoder: self, items: items)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { Single(decoder: self) }

  // MARK: - What containers have in common

  fileprivate func inner(_ value: DocumentValue, _ key: any CodingKey, keysAreData: Bool = false) -> DocumentDecoder {
    DocumentDecoder(value, spelling, keysAreData: keysAreData, codingPath: codingPath + [key])
  }

  fileprivate func read<Value: Decodable>(_ type: Value.Type, _ value: DocumentValue, _ key: any CodingKey) throws
    -> Value
  {
    let keysAreData = spelling.keys != .asTheyAre && type is any KeyedByText.Type
    return try Value(from: inner(value, key, keysAreData: keysAreData))
  }

  fileprivate func mismatch(_ type: Any.Type) -> DecodingError {
    let context = DecodingError.Context(codingPath: codingPath, debugDescription: "another kind of value is there")
    if case .null = value { return .valueNotFound(type, context) }
    return .typeMismatch(type, context)
  }

  fileprivate func number<Number: BinaryInteger>(_ type: Number.Type) throws -> Number {
    switch value {
    case .integer(let whole): if let number = Number(exactly: whole) { return number }
    case .decimal(let decimal): if let number = Number(exactly: decimal) { return number }
    default: throw mismatch(type)
    }
    throw DecodingError.dataCorrupted(
      DecodingError.Context(codingPath: codingPath, debugDescription: "the number is out of range"))
  }

  fileprivate func decimal() throws -> Double {
    switch value {
    case .integer(let whole): return Double(whole)
    case .decimal(let decimal): return decimal
    default: throw mismatch(Double.self)
    }
  }

  fileprivate func text() throws -> String {
    guard case .string(let text) = value else { throw mismatch(String.self) }
    return text
  }

  fileprivate func flag() throws -> Bool {
    guard case .boolean(let flag) = value else { throw mismatch(Bool.self) }
    return flag
  }
}

private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
  private let decoder: DocumentDecoder
  private let members: [DocumentValue.Member]
  /// Nil where keys are data.
  private let spelling: KeySpelling?
  /// Only where there are many: a few are found faster by looking at each.
  private let places: [String: Int]?

  init(_ decoder: DocumentDecoder, _ members: [DocumentValue.Member], _ spelling: KeySpelling?) {
    self.decoder = decoder
    self.members = members
    self.spelling = spelling
    places =
      members.count <= 16
      ? nil : Dictionary(members.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  /// With keys in snake case only those that a property could have as its name; nobody asks for others.
  var allKeys: [Key] { members.compactMap { Key(stringValue: $0.key) } }

  private func find(_ key: Key) -> DocumentValue? {
    let name = spelling?.spelled(key.stringValue) ?? key.stringValue
    if let places { return places[name].map { members[$0].value } }
    return members.first { $0.key == name }?.value
  }

  private func found(_ key: Key) throws -> DocumentValue {
    guard let value = find(key) else {
      throw DecodingError.keyNotFound(
        key, DecodingError.Context(codingPath: codingPath, debugDescription: "the key is missing"))
    }
    return value
  }

  func contains(_ key: Key) -> Bool { find(key) != nil }
  func decodeNil(forKey key: Key) throws -> Bool { try found(key) == .null }
  func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try decoder.inner(found(key), key).flag() }
  func decode(_ type: String.Type, forKey key: Key) throws -> String { try decoder.inner(found(key), key).text() }
  func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try decoder.inner(found(key), key).decimal() }
  func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try decoder.inner(found(key), key).number(type) }
  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try decoder.read(type, found(key), key)
  }

  func nestedContainer<Inner: CodingKey>(
    keyedBy type: Inner.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Inner> { try decoder.inner(found(key), key).container(keyedBy: type) }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try decoder.inner(found(key), key).unkeyedContainer()
  }
  func superDecoder() -> any Decoder {
    let value = members.first { $0.key == SuperKey().stringValue }?.value
    return decoder.inner(value ?? .null, SuperKey())
  }
  func superDecoder(forKey key: Key) throws -> any Decoder { decoder.inner(try found(key), key) }
}

private struct Items: UnkeyedDecodingContainer {
  let decoder: DocumentDecoder
  let items: [DocumentValue]
  private(set) var currentIndex = 0

  init(decoder: DocumentDecoder, items: [DocumentValue]) {
    self.decoder = decoder
    self.items = items
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { items.count }
  var isAtEnd: Bool { currentIndex >= items.count }

  private func next(_ type: Any.Type) throws -> DocumentValue {
    guard !isAtEnd else {
      throw DecodingError.valueNotFound(
        type, DecodingError.Context(codingPath: codingPath, debugDescription: "the list has no more items"))
    }
    return items[currentIndex]
  }

  mutating func decodeNil() throws -> Bool {
    guard try next(Optional<Any>.self) == .null else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let value = try decoder.read(type, next(type), ListKey(currentIndex))
    currentIndex += 1
    return value
  }

  private mutating func nextDecoder(_ type: Any.Type) throws -> DocumentDecoder {
    let inner = decoder.inner(try next(type), ListKey(currentIndex))
    currentIndex += 1
    return inner
  }
  mutating func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type) throws -> KeyedDecodingContainer<Inner> {
    try nextDecoder([String: Any].self).container(keyedBy: type)
  }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try nextDecoder([Any].self).unkeyedContainer()
  }
  mutating func superDecoder() throws -> any Decoder { try nextDecoder(Any.self) }
}

private struct Single: SingleValueDecodingContainer {
  let decoder: DocumentDecoder

  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool { decoder.value == .null }
  func decode(_ type: Bool.Type) throws -> Bool { try decoder.flag() }
  func decode(_ type: String.Type) throws -> String { try decoder.text() }
  func decode(_ type: Double.Type) throws -> Double { try decoder.decimal() }
  func decode(_ type: Float.Type) throws -> Float { Float(try decoder.decimal()) }
  func decode(_ type: Int.Type) throws -> Int { try decoder.number(type) }
  func decode(_ type: Int8.Type) throws -> Int8 { try decoder.number(type) }
  func decode(_ type: Int16.Type) throws -> Int16 { try decoder.number(type) }
  func decode(_ type: Int32.Type) throws -> Int32 { try decoder.number(type) }
  func decode(_ type: Int64.Type) throws -> Int64 { try decoder.number(type) }
  func decode(_ type: UInt.Type) throws -> UInt { try decoder.number(type) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try decoder.number(type) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try decoder.number(type) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try decoder.number(type) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try decoder.number(type) }
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Value(from: decoder) }
}
