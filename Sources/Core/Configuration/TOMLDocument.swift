package import RuleSets

/// TOML text (version 1.0) to a `DocumentValue`, by the letter of the grammar: https://toml.io/en/v1.0.0. Keys keep their
/// order of appearance. What the text says twice, or where a table is opened again, is an error, as TOML wants it.
///
/// A date or a time is read as one, and refused: no setting of ours takes one.
package struct TOMLDocument {
  /// The document, or the one thing that makes it no TOML: `line 3, column 7: …`. No value is repeated in the words: it
  /// may be a secret.
  package static func parse(_ text: String) throws(Complaint) -> DocumentValue {
    var scan = TOMLDocument(bytes: Array(text.utf8))
    let root: TOMLTable
    do throws(Failure) {
      root = try scan.document()
    } catch {
      throw error.complaint(in: scan.bytes)
    }
    return try root.value(at: "")
  }

  /// Where a scan ended, as a place in the bytes.
  struct Failure: Error {
    var position: Int
    var text: String

    func complaint(in bytes: [UInt8]) -> Complaint {
      var line = 1
      var column = 1
      for byte in bytes.prefix(position) {
        if byte == UInt8(ascii: "\n") {
          line += 1
          column = 1
        } else if byte & 0xc0 != 0x80 {  // a column is a character, not a byte
          column += 1
        }
      }
      return Complaint(field: "", "line \(line), column \(column): \(text)")
    }
  }

  /// Lists and inline tables inside each other; a configuration needs two.
  static let maximumDepth = 32

  let bytes: [UInt8]
  var position = 0

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// The byte at the position; nil at the end.
  var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  func failure(_ text: String, at position: Int? = nil) -> Failure {
    Failure(position: position ?? self.position, text: text)
  }

  // MARK: - Lines

  private mutating func document() throws(Failure) -> TOMLTable {
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    let root = TOMLTable(.header)
    var table = root
    while true {
      skipBlanks()
      switch current {
      case nil: return root
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): try endOfLine()
      case UInt8(ascii: "["):
        table = try header(in: root)
        try endOfLine()
      default:
        try member(of: table, depth: 0)
        try endOfLine()
      }
    }
  }

  mutating func skipBlanks() {
    while let byte = current, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { position += 1 }
  }

  /// Blanks, a comment, and the end of the line or of the document.
  mutating func endOfLine() throws(Failure) {
    skipBlanks()
    if current == UInt8(ascii: "#") {
      while let byte = current, byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") {
        guard byte >= 0x20 && byte != 0x7f || byte == UInt8(ascii: "\t") else { throw controlCharacter(byte) }
        position += 1
      }
    }
    guard current != nil else { return }
    guard try skipNewline() else { throw failure("expected the end of the line, found \(foundHere)") }
  }

  /// True where a line ended here: past it.
  mutating func skipNewline() throws(Failure) -> Bool {
    switch current {
    case UInt8(ascii: "\n"): position += 1
    case UInt8(ascii: "\r"):
      guard position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "\n") else {
        throw controlCharacter(UInt8(ascii: "\r"))
      }
      position += 2
    default: return false
    }
    return true
  }

  func controlCharacter(_ byte: UInt8) -> Failure {
    failure(
      "found the control character 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16)), which TOML does not allow here")
  }

  // MARK: - Tables

  /// `[name]` or `[[name]]`: the table that what follows belongs to.
  private mutating func header(in root: TOMLTable) throws(Failure) -> TOMLTable {
    let start = position
    position += 1
    let isItem = current == UInt8(ascii: "[")
    if isItem { position += 1 }
    skipBlanks()
    guard let first = current, Self.isBare(first) || first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") else {
      throw failure("expected a table's name after \"[\"")
    }
    let keys = try key()
    for _ in 0..<(isItem ? 2 : 1) {
      guard current == UInt8(ascii: "]") else {
        throw failure("expected \"\(isItem ? "]]" : "]")\" after the table's name, found \(foundHere)")
      }
      position += 1
    }
    do throws(TOMLTable.Conflict) {
      return try isItem ? root.appendItem(keys) : root.open(keys)
    } catch {
      throw failure(error.text, at: start)
    }
  }

  /// `key = value`, in a table or, between braces, in an inline one.
  mutating func member(of table: TOMLTable, depth: Int) throws(Failure) {
    let start = position
    let keys = try key()
    guard current == UInt8(ascii: "=") else { throw failure("expected \"=\" after the key, found \(foundHere)") }
    position += 1
    skipBlanks()
    let item = try value(depth: depth + 1)
    do throws(TOMLTable.Conflict) {
      try table.set(keys, item)
    } catch {
      throw failure(error.text, at: start)
    }
  }

  /// One key, or several with dots between; and the blanks behind.
  private mutating func key() throws(Failure) -> [String] {
    var keys: [String] = []
    while true {
      keys.append(try simpleKey())
      // Hostile depth would cost a deep recursion later.
      guard keys.count <= Self.maximumDepth else {
        throw failure("expected at most \(Self.maximumDepth) keys in a row")
      }
      skipBlanks()
      guard current == UInt8(ascii: ".") else { return keys }
      position += 1
      skipBlanks()
    }
  }

  private mutating func simpleKey() throws(Failure) -> String {
    switch current {
    case UInt8(ascii: "\""): return try lineString()
    case UInt8(ascii: "'"): return try literalString()
    default:
      let start = position
      while let byte = current, Self.isBare(byte) { position += 1 }
      guard position > start else { throw failure("expected a key, found \(foundHere)") }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }
  }

  /// A–Z, a–z, 0–9, `_` and `-`.
  static func isBare(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  /// What stands at the position, in words.
  var foundHere: String {
    switch current {
    case nil: "the end of the document"
    case UInt8(ascii: "\n"), UInt8(ascii: "\r"): "the end of the line"
    case UInt8(ascii: "\""): "a double quote"
    case let byte? where (0x21...0x7e).contains(byte): "\"\(Character(Unicode.Scalar(byte)))\""
    case let byte?: byte < 0x80 ? "the byte 0x\(String(byte, radix: 16))" : "a character beyond ASCII"
    }
  }
}
