internal import RuleSets

/// The four ways in which TOML writes text.
extension TOMLDocument {
  /// `"…"`, with escapes, on one line.
  mutating func lineString() throws(Failure) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while let byte = current {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(into: &text)
      default: try plain(byte, into: &text, quote: "a double quote")
      }
    }
    throw unended(start, "a double quote")
  }

  /// `'…'`, as it stands, on one line.
  mutating func literalString() throws(Failure) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while let byte = current {
      if byte == UInt8(ascii: "'") {
        position += 1
        return String(decoding: text, as: UTF8.self)
      }
      try plain(byte, into: &text, quote: "a single quote")
    }
    throw unended(start, "a single quote")
  }

  /// `"""…"""`, with escapes, over lines.
  mutating func longString() throws(Failure) -> String {
    let start = position
    position += 3
    _ = try skipNewline()
    var text: [UInt8] = []
    while let byte = current {
      switch byte {
      case UInt8(ascii: "\""): if closes(byte, &text) { return String(decoding: text, as: UTF8.self) }
      case UInt8(ascii: "\\"): if try !skipJoint() { try escape(into: &text) }
      default: try lineOrPlain(byte, into: &text)
      }
    }
    throw unended(start, "three double quotes")
  }

  /// `'''…'''`, as it stands, over lines.
  mutating func longLiteral() throws(Failure) -> String {
    let start = position
    position += 3
    _ = try skipNewline()
    var text: [UInt8] = []
    while let byte = current {
      if byte == UInt8(ascii: "'") {
        if closes(byte, &text) { return String(decoding: text, as: UTF8.self) }
      } else {
        try lineOrPlain(byte, into: &text)
      }
    }
    throw unended(start, "three single quotes")
  }

  private func unended(_ start: Int, _ quote: String) -> Failure {
    failure("expected the text to end with \(quote)", at: start)
  }

  private mutating func plain(_ byte: UInt8, into text: inout [UInt8], quote: String) throws(Failure) {
    if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
      throw failure("expected \(quote), found the end of the line")
    }
    guard byte >= 0x20 && byte != 0x7f || byte == UInt8(ascii: "\t") else { throw controlCharacter(byte) }
    text.append(byte)
    position += 1
  }

  private mutating func lineOrPlain(_ byte: UInt8, into text: inout [UInt8]) throws(Failure) {
    if try skipNewline() { text.append(UInt8(ascii: "\n")) } else { try plain(byte, into: &text, quote: "") }
  }

  /// Past a run of quotes: true where it ends the text. Up to two before the three that end it belong to the text.
  private mutating func closes(_ quote: UInt8, _ text: inout [UInt8]) -> Bool {
    var count = 0
    while current == quote && count < 5 {
      count += 1
      position += 1
    }
    text.append(contentsOf: repeatElement(quote, count: count < 3 ? count : count - 3))
    return count >= 3
  }

  /// A backslash at the end of a line: true, and past all blanks and ends of lines behind it.
  private mutating func skipJoint() throws(Failure) -> Bool {
    let start = position
    position += 1
    skipBlanks()
    guard try skipNewline() else {
      position = start
      return false
    }
    repeat { skipBlanks() } while try skipNewline()
    return true
  }

  private mutating func escape(into text: inout [UInt8]) throws(Failure) {
    let start = position
    position += 1
    guard let kind = current else { throw failure("expected the text to end, found the end of the document") }
    position += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(kind)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "u"): text.append(contentsOf: try character(digits: 4, start: start))
    case UInt8(ascii: "U"): text.append(contentsOf: try character(digits: 8, start: start))
    default: throw failure("TOML has no such escape in text", at: start)
    }
  }

  /// After `\u` or `\U`: a character's number, as UTF-8.
  private mutating func character(digits: Int, start: Int) throws(Failure) -> [UInt8] {
    var code: UInt32 = 0
    for _ in 0..<digits {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected \(digits) hexadecimal digits", at: start)
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    guard let scalar = Unicode.Scalar(code) else { throw failure("there is no such character", at: start) }
    return Array(String(scalar).utf8)
  }
}
