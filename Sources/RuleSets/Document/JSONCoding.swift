/// `Codable` values as JSON, and back: what reports and stored files need of it. FoundationEssentials has the same, but it
/// is all or nothing: five megabytes of dates, locales, URLs and regular expressions come along with its coder.
///
/// The same value makes the same bytes: keys stand in order. A key that nobody asks for is ignored.
package struct JSONCoding: Sendable {
  /// How the names of properties are spelled as keys. Keys of a dictionary are data and stay as they are.
  package enum Keys: Sendable {
    case asTheyAre
    /// `isPrivate` as `is_private`.
    case snakeCase
  }

  private let keys: Keys
  private let isIndented: Bool

  /// - Parameter isIndented: each member and item on a line of its own, for people.
  package init(keys: Keys = .asTheyAre, isIndented: Bool = false) {
    self.keys = keys
    self.isIndented = isIndented
  }

  /// Throws where a number has no JSON (infinity), or the value itself throws.
  package func encode(_ value: some Encodable) throws -> [UInt8] {
    var writer = JSONWriter(isIndented: isIndented)
    writer.write(try EncodedValue(value, KeySpelling(keys)), level: 0)
    return writer.bytes
  }

  /// The bytes may come from anyone: they are read by `StrictJSON`, with its limits unless others are given.
  package func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8], limits: StrictJSON.Limits = StrictJSON.Limits()
  ) throws -> Value {
    try decode(type, from: try StrictJSON.parse(bytes, limits: limits))
  }

  /// Out of what was read before.
  package func decode<Value: Decodable>(_ type: Value.Type, from document: DocumentValue) throws -> Value {
    try Value(from: DocumentDecoder(document, KeySpelling(keys)))
  }
}

/// The keys of one document, each spelled once.
final class KeySpelling {
  let keys: JSONCoding.Keys
  private var known: [String: String] = [:]

  init(_ keys: JSONCoding.Keys) { self.keys = keys }

  func spelled(_ name: String) -> String {
    guard keys == .snakeCase else { return name }
    if let spelled = known[name] { return spelled }
    let spelled = Self.snakeCase(name)
    known[name] = spelled
    return spelled
  }

  /// A word begins at a capital; of several in a row the last begins one where a small letter follows: `rttP99Ms` is
  /// `rtt_p99_ms`, `lastURLSeen` is `last_url_seen`.
  static func snakeCase(_ name: String) -> String {
    let letters = Array(name.utf8)
    var result: [UInt8] = []
    for (index, letter) in letters.enumerated() {
      guard isCapital(letter) else {
        result.append(letter)
        continue
      }
      let followsSmall = index > 0 && !isCapital(letters[index - 1])
      let precedesSmall = index > 0 && index + 1 < letters.count && isSmall(letters[index + 1])
      if followsSmall || precedesSmall { result.append(UInt8(ascii: "_")) }
      result.append(letter | 0x20)
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
  private static func isSmall(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
}

/// A dictionary by text, whose keys are data.
protocol KeyedByText {}
extension Dictionary: KeyedByText where Key == String {}

/// A step into a list, where a coder wants a key for it.
struct ListKey: CodingKey {
  var intValue: Int?
  var stringValue: String { "[\(intValue ?? 0)]" }

  init(_ index: Int) { intValue = index }
  init?(intValue: Int) { self.init(intValue) }
  init?(stringValue: String) { nil }
}

/// Where a class keeps what it inherits.
struct SuperKey: CodingKey {
  var intValue: Int? { nil }
  var stringValue: String { "super" }

  init() {}
  init?(intValue: Int) { nil }
  init?(stringValue: String) { nil }
}
