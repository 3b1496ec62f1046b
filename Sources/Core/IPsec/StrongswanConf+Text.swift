package import RuleSets

extension StrongswanConf {
  /// The statements of one file, by the grammar of settings_lexer.l and settings_parser.y. If charon would not start
  /// with it, `file:line: …`; a file that opens a section which another one closes is refused too.
  package static func parse(_ bytes: [UInt8], file: String) throws(Complaint) -> [Statement] {
    var scan = StrongswanConfScan(bytes: bytes, file: file)
    return try scan.statements(depth: 0)
  }
}

private struct StrongswanConfScan {
  let bytes: [UInt8]
  let file: String
  private var position = 0
  private var line = 1

  /// Sections inside each other; charon has five.
  private static let maximumDepth = 20

  init(bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
  }

  private var place: StrongswanConf.Place { StrongswanConf.Place(file: file, line: line) }
  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func step() {
    if current == UInt8(ascii: "\n") { line += 1 }
    position += 1
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    step()
    return true
  }

  /// As far as `isIncluded` holds.
  private mutating func text(where isIncluded: (UInt8) -> Bool) -> String {
    let start = position
    while let byte = current, isIncluded(byte) { step() }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private func complaint(_ text: String, line: Int? = nil) -> Complaint {
    Complaint(field: "\(file):\(line ?? self.line)", text)
  }

  private var foundHere: String {
    guard let byte = current else { return "the end of the file" }
    return byte == UInt8(ascii: "\n") ? "the end of the line" : quoted(String(decoding: [byte], as: UTF8.self))
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
  }

  private static func isName(_ byte: UInt8) -> Bool {
    if isBlank(byte) || byte == UInt8(ascii: "\n") || byte == 0 { return false }
    return !"#{}:.,=\"".utf8.contains(byte)
  }

  private mutating func skipComment() {
    while let byte = current, byte != UInt8(ascii: "\n") { step() }
  }

  /// Blanks, ends of lines and comments, which mean nothing outside of a value.
  private mutating func skipSpace() {
    while let byte = current {
      if byte == UInt8(ascii: "#") {
        skipComment()
      } else if Self.isBlank(byte) || byte == UInt8(ascii: "\n") {
        step()
      } else {
        return
      }
    }
  }

  /// Up to the `}` of the section, which is left, or to the end of the file.
  mutating func statements(depth: Int) throws(Complaint) -> [StrongswanConf.Statement] {
    guard depth <= Self.maximumDepth else { throw complaint("sections are nested too deeply") }
    var statements: [StrongswanConf.Statement] = []
    while true {
      skipSpace()
      guard let byte = current else { return statements }
      if byte == UInt8(ascii: "}") {
        if depth == 0 { throw complaint("\"}\" without a section") }
        return statements
      }
      let place = place
      let name = text(where: Self.isName)
      if name.isEmpty { throw complaint("expected the name of a setting or section, found \(foundHere)") }
      if name == "include", let include = try include(place) {
        statements.append(include)
        continue
      }
      skipSpace()
      statements.append(try statement(name, place, depth: depth))
    }
  }

  /// What follows a name.
  private mutating func statement(
    _ name: String, _ place: StrongswanConf.Place, depth: Int
  ) throws(Complaint) -> StrongswanConf.Statement {
    if take("=") { return .setting(name, StrongswanConf.Setting(value: try value(), place: place)) }
    let references = take(":") ? try references() : []
    guard take("{") else {
      let hint = current == UInt8(ascii: ".") ? " (sections are written with braces, not dots)" : ""
      throw complaint("expected \"=\" or \"{\" after \(quoted(name)), found \(foundHere)\(hint)")
    }
    let inner = try statements(depth: depth + 1)
    guard take("}") else { throw complaint("section \(quoted(name)) has no \"}\"", line: place.line) }
    return .section(name, references: references, inner)
  }

  /// `a, b.c`: after the colon.
  private mutating func references() throws(Complaint) -> [String] {
    var references: [String] = []
    repeat {
      skipSpace()
      let name = text { Self.isName($0) || $0 == UInt8(ascii: ".") }
      if name.isEmpty { throw complaint("expected the name of a section to refer to, found \(foundHere)") }
      if name.split(separator: ".", omittingEmptySubsequences: false).contains("") {
        throw complaint("expected names with one dot between them, found \(quoted(name))")
      }
      references.append(name)
      skipSpace()
    } while take(",")
    return references
  }

  /// Words and quoted texts up to the end of the line, a comment or a `}`, with one blank between them. Nil for none.
  private mutating func value() throws(Complaint) -> String? {
    var parts: [String] = []
    while let byte = current, byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "#"), byte != UInt8(ascii: "}") {
      if Self.isBlank(byte) {
        step()
      } else if take("\"") {
        parts.append(try quotedText())
      } else if byte == 0 {
        throw complaint("expected text, found a zero byte")
      } else {
        parts.append(text { !Self.isBlank($0) && $0 != 0 && !"#}\"\n".utf8.contains($0) })
      }
    }
    return parts.isEmpty ? nil : parts.joined(separator: " ")
  }

  /// What follows a quotation mark, and the mark that ends it.
  private mutating func quotedText() throws(Complaint) -> String {
    let start = line
    var text: [UInt8] = []
    while let byte = current {
      step()
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\r"): break
      case 0: throw complaint("expected text, found a zero byte")
      case UInt8(ascii: "\\"): if let escaped = escaped() { text.append(escaped) }
      default: text.append(byte)
      }
    }
    throw complaint("a quoted string has no end", line: start)
  }

  /// What a backslash and the next character mean; nil for the end of a line, which then counts for nothing.
  private mutating func escaped() -> UInt8? {
    guard let byte = current else { return nil }
    step()
    switch byte {
    case UInt8(ascii: "n"): return UInt8(ascii: "\n")
    case UInt8(ascii: "r"): return UInt8(ascii: "\r")
    case UInt8(ascii: "t"): return UInt8(ascii: "\t")
    case UInt8(ascii: "\n"): return nil
    case UInt8(ascii: "\r") where take("\n"): return nil
    default: return byte
    }
  }

  /// The pattern after `include`; nil if that is the name of a setting or section.
  private mutating func include(_ place: StrongswanConf.Place) throws(Complaint) -> StrongswanConf.Statement? {
    guard let blank = current, Self.isBlank(blank), blank != UInt8(ascii: "\r") else { return nil }
    while let byte = current, Self.isBlank(byte) { step() }
    if current == UInt8(ascii: "=") { return nil }
    var pattern: [UInt8] = []
    scan: while let byte = current, !Self.isBlank(byte), byte != 0 {
      switch byte {
      case UInt8(ascii: "#"), UInt8(ascii: "}"), UInt8(ascii: "\n"): break scan
      case UInt8(ascii: "\""):
        step()
        pattern += try quotedText().utf8
        break scan
      case UInt8(ascii: "\\"):
        step()
        // Before anything else it is the pattern's own.
        if let next = current, "\"#} ".utf8.contains(next) {
          pattern.append(next)
          step()
        } else {
          pattern.append(byte)
        }
      default:
        step()
        pattern.append(byte)
      }
    }
    if pattern.isEmpty { throw complaint("expected a pattern of files after \"include\", found \(foundHere)") }
    return .include(pattern: String(decoding: pattern, as: UTF8.self), place)
  }
}
