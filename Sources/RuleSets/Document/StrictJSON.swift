/// JSON text (RFC 8259) to a `DocumentValue`, by the letter of the grammar. A general decoder lets through what a rule
/// set must not hold: a key that is there twice, trailing commas, comments, and it says neither where nor why.
///
/// The tree is written straight from the scan: the scan has to walk the whole grammar anyway, and FoundationEssentials'
/// JSONDecoder took six times as long for a generic tree (50,000 prefixes, release build).
package struct StrictJSON {
  /// What a document may cost. Hostile until checked: every bound stands before memory is taken.
  package struct Limits: Sendable {
    /// Of the document.
    package var bytes: Int
    /// Lists and objects inside each other. A rule set needs six.
    package var depth: Int
    /// Of any kind, keys not counted; each costs about 24 bytes.
    package var values: Int

    package init(bytes: Int = 16 << 20, depth: Int = 32, values: Int = 400_000) {
      self.bytes = bytes
      self.depth = depth
      self.values = values
    }
  }

  /// The document, or the one thing that makes it no JSON: `path: line 3, column 7: …`.
  package static func parse(_ bytes: [UInt8], limits: Limits = Limits()) throws(Complaint) -> DocumentValue {
    guard bytes.count <= limits.bytes else {
      throw Complaint(field: "", "expected a document of at most \(limits.bytes) bytes, found \(bytes.count)")
    }
    var scan = StrictJSON(bytes: bytes, limits: limits)
    do throws(Failure) {
      return try scan.document()
    } catch {
      throw error.complaint(in: bytes)
    }
  }

  /// Where a scan ended, as a place in the bytes; made into words once, when it is known to be the answer.
  struct Failure: Error {
    var position: Int
    var text: String
    /// From the innermost outwards.
    var path: [String] = []

    func inside(_ step: String) -> Failure {
      var outer = self
      outer.path.append(step)
      return outer
    }

    func complaint(in bytes: [UInt8]) -> Complaint {
      var line = 1
      var column = 1
      for byte in bytes.prefix(position) {
        if byte == UInt8(ascii: "\n") {
          line += 1
          column = 1
        } else if byte & 0xc0 != 0x80 {  // a column is a character, not a byte: continuation bytes do not count
          column += 1
        }
      }
      let shown = path.reversed().prefix(12)
      let field = shown.reduce(into: "") { text, step in
        text += text.isEmpty || step.hasPrefix("[") ? step : ".\(step)"
      }
      return Complaint(field: field + (shown.count < path.count ? "…" : ""), "line \(line), column \(column): \(text)")
    }
  }

  static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

  let bytes: [UInt8]
  let limits: Limits
  var position = 0
  private var values = 0

  private init(bytes: [UInt8], limits: Limits) {
    self.bytes = bytes
    self.limits = limits
  }

  /// The byte at the position; nil at the end.
  var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  func failure(_ text: String, at position: Int? = nil) -> Failure {
    Failure(position: position ?? self.position, text: text)
  }

  private mutating func document() throws(Failure) -> DocumentValue {
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) {
      throw failure("expected JSON, found a byte order mark (write UTF-8 without one)")
    }
    skipSpace()
    switch current {
    case nil: throw failure("expected JSON, found an empty document")
    case UInt8(ascii: "<"): throw failure("expected JSON, found what looks like HTML or XML")
    default: break
    }
    let value = try value(depth: 0)
    skipSpace()
    guard current == nil else { throw failure("expected the end of the document, found \(foundHere)") }
    return value
  }

  private mutating func value(depth: Int) throws(Failure) -> DocumentValue {
    values += 1
    guard values <= limits.values else { throw failure("expected at most \(limits.values) values in the document") }
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth + 1)
    case UInt8(ascii: "["): return try list(depth: depth + 1)
    case UInt8(ascii: "\""): return .string(try string())
    case let byte? where byte == UInt8(ascii: "-") || Self.digits.contains(byte): return try number()
    default:
      if take("true") { return .boolean(true) }
      if take("false") { return .boolean(false) }
      if take("null") { return .null }
      throw failure("expected a value, found \(foundHere)")
    }
  }

  private mutating func object(depth: Int) throws(Failure) -> DocumentValue {
    try enter(depth)
    var members: [DocumentValue.Member] = []
    // Few keys are compared one by one; from here on a set keeps a hostile object from costing n².
    var seen: Set<String> = []
    if skipTo(UInt8(ascii: "}")) { return .object([]) }
    while true {
      let start = position
      guard current == UInt8(ascii: "\"") else { throw failure("expected a key in double quotes, found \(foundHere)") }
      let key = try string()
      if members.count == 16 { seen = Set(members.map(\.key)) }
      let isNew =
        members.count < 16 ? !members.contains { $0.key == key } : seen.insert(key).inserted
      guard isNew else {
        throw failure("the key \(quoted(key)) is there twice", at: start).inside(pathStep(key))
      }
      skipSpace()
      guard current == UInt8(ascii: ":") else { throw failure("expected \":\" after the key, found \(foundHere)") }
      position += 1
      skipSpace()
      do throws(Failure) {
        members.append(DocumentValue.Member(key, try value(depth: depth)))
      } catch {
        throw error.inside(pathStep(key))
      }
      if try endOfItem(closing: UInt8(ascii: "}")) { return .object(members) }
    }
  }

  private mutating func list(depth: Int) throws(Failure) -> DocumentValue {
    try enter(depth)
    var items: [DocumentValue] = []
    if skipTo(UInt8(ascii: "]")) { return .list([]) }
    while true {
      do throws(Failure) {
        items.append(try value(depth: depth))
      } catch {
        throw error.inside("[\(items.count)]")
      }
      if try endOfItem(closing: UInt8(ascii: "]")) { return .list(items) }
    }
  }

  private mutating func enter(_ depth: Int) throws(Failure) {
    guard depth <= limits.depth else {
      throw failure("expected at most \(limits.depth) lists and objects inside each other")
    }
    position += 1
  }

  /// After the opening bracket: true, and past it, where the closing one follows at once.
  private mutating func skipTo(_ closing: UInt8) -> Bool {
    skipSpace()
    guard current == closing else { return false }
    position += 1
    return true
  }

  /// After an item: true where the list or object ends here, false where a comma leads to another item.
  private mutating func endOfItem(closing: UInt8) throws(Failure) -> Bool {
    skipSpace()
    switch current {
    case closing:
      position += 1
      return true
    case UInt8(ascii: ","):
      let comma = position
      position += 1
      skipSpace()
      if current == closing { throw failure("a comma after the last item is not JSON", at: comma) }
      return false
    default:
      throw failure("expected \",\" or \(printed(closing)), found \(foundHere)")
    }
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0a, 0x0d, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func take(_ word: StaticString) -> Bool {
    let end = position + word.utf8CodeUnitCount
    guard end <= bytes.count else { return false }
    let matches = word.withUTF8Buffer { bytes[position..<end].elementsEqual($0) }
    if matches { position = end }
    return matches
  }

  /// What stands at the position, in words that say what the writer may have meant.
  var foundHere: String {
    guard let byte = current else { return "the end of the document" }
    let hint: String? =
      switch byte {
      case UInt8(ascii: "/"), UInt8(ascii: "#"): "JSON has no comments"
      case UInt8(ascii: "'"): "JSON writes text in double quotes"
      case UInt8(ascii: "+"): "JSON writes a positive number without a sign"
      case 0xfe, 0xff, 0: "is this UTF-16? JSON is written in UTF-8"
      default:
        bytes[position...].starts(with: "NaN".utf8) || bytes[position...].starts(with: "Infinity".utf8)
          ? "JSON has neither NaN nor Infinity" : nil
      }
    return printed(byte) + (hint.map { " (\($0))" } ?? "")
  }

  private func printed(_ byte: UInt8) -> String {
    if byte == UInt8(ascii: "\"") { return "a double quote" }
    return (0x21...0x7e).contains(byte)
      ? "\"\(Character(Unicode.Scalar(byte)))\"" : "the byte 0x\(String(byte, radix: 16))"
  }
}
