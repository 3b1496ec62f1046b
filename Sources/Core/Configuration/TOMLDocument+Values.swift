internal import RuleSets

/// What stands behind `=`.
extension TOMLDocument {
  mutating func value(depth: Int) throws(Failure) -> TOMLItem {
    guard depth <= Self.maximumDepth else {
      throw failure("expected at most \(Self.maximumDepth) lists and tables inside each other")
    }
    switch current {
    case UInt8(ascii: "\""):
      return .value(.string(try isLong(UInt8(ascii: "\"")) ? longString() : lineString()))
    case UInt8(ascii: "'"):
      return .value(.string(try isLong(UInt8(ascii: "'")) ? longLiteral() : literalString()))
    case UInt8(ascii: "["): return try list(depth: depth)
    case UInt8(ascii: "{"): return try inlineTable(depth: depth)
    default: return try word()
    }
  }

  /// Whether three quotes stand here.
  private func isLong(_ quote: UInt8) -> Bool { bytes[position...].starts(with: [quote, quote, quote]) }

  private mutating func list(depth: Int) throws(Failure) -> TOMLItem {
    position += 1
    var items: [TOMLItem] = []
    while true {
      try skipLines()
      if current == UInt8(ascii: "]") { break }
      items.append(try value(depth: depth + 1))
      try skipLines()
      if current == UInt8(ascii: ",") {
        position += 1
      } else if current != UInt8(ascii: "]") {
        throw failure("expected \",\" or \"]\" after an item of the list, found \(foundHere)")
      }
    }
    position += 1
    return .list(items)
  }

  /// Blanks, comments and ends of lines, as they may stand between the items of a list.
  private mutating func skipLines() throws(Failure) {
    while true {
      skipBlanks()
      guard let byte = current, byte == UInt8(ascii: "#") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
      else { return }
      try endOfLine()
    }
  }

  private mutating func inlineTable(depth: Int) throws(Failure) -> TOMLItem {
    position += 1
    let table = TOMLTable(.inline)
    skipBlanks()
    if current == UInt8(ascii: "}") {
      position += 1
      return .table(table)
    }
    while true {
      try member(of: table, depth: depth)
      skipBlanks()
      switch current {
      case UInt8(ascii: "}"):
        position += 1
        return .table(table)
      case UInt8(ascii: ","):
        position += 1
        skipBlanks()
        // Behind a comma TOML 1.0 wants another key, on the same line.
        if current == UInt8(ascii: "}") { throw failure("expected a key after the comma, found \"}\"") }
      default: throw failure("expected \",\" or \"}\" on the same line, found \(foundHere)")
      }
    }
  }

  // MARK: - Words and numbers

  private mutating func word() throws(Failure) -> TOMLItem {
    let start = position
    while let byte = current,
      Self.isBare(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
        || byte == UInt8(ascii: ":")
    { position += 1 }
    let word = bytes[start..<position]
    guard let first = word.first else { throw failure("expected a value, found \(foundHere)") }
    if word.elementsEqual("true".utf8) { return .value(.boolean(true)) }
    if word.elementsEqual("false".utf8) { return .value(.boolean(false)) }
    if Self.isDateOrTime(word) {
      skipTimeOfDay()
      return .dateOrTime
    }
    if let whole = try whole(word, at: start) { return .value(.integer(whole)) }
    if let decimal = Self.decimal(word) { return .value(.decimal(decimal)) }
    let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    throw failure(
      isDigit || first == UInt8(ascii: "+") || first == UInt8(ascii: "-") || first == UInt8(ascii: ".")
        ? "this is not how TOML writes a number" : "expected a value; text stands in double quotes", at: start)
  }

  /// `2026-08-01…` or `14:30…`.
  private static func isDateOrTime(_ word: ArraySlice<UInt8>) -> Bool {
    let shape = word.prefix(5).map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) ? UInt8(ascii: "0") : $0 }
    return shape.elementsEqual("0000-".utf8) || shape.starts(with: "00:".utf8)
  }

  /// A date and its time may have a blank between them.
  private mutating func skipTimeOfDay() {
    guard current == UInt8(ascii: " "), position + 1 < bytes.count,
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position + 1])
    else { return }
    position += 1
    while let byte = current, Self.isBare(byte) || ":.+".utf8.contains(byte) { position += 1 }
  }

  /// A whole number, decimal or behind `0x`, `0o` and `0b`; nil where it is none. Throws where it does not fit 64 bits.
  private func whole(_ word: ArraySlice<UInt8>, at start: Int) throws(Failure) -> Int64? {
    let digits: String
    var radix = 10
    if word.count > 2, word.first == UInt8(ascii: "0"), let letter = word.dropFirst().first,
      let other = [UInt8(ascii: "x"): 16, UInt8(ascii: "o"): 8, UInt8(ascii: "b"): 2][letter]
    {
      radix = other
      guard let clean = Self.digits(word.dropFirst(2), radix: radix) else { return nil }
      digits = clean
    } else {
      let (sign, rest) = Self.sign(of: word)
      guard let clean = Self.digits(rest, radix: 10), Self.hasNoLeadingZero(rest) else { return nil }
      digits = sign + clean
    }
    guard let number = Int64(digits, radix: radix) else { throw failure("the number is out of range", at: start) }
    return number
  }

  /// `1.5`, `5e-3`, `inf`, `nan`; nil where it is none.
  private static func decimal(_ word: ArraySlice<UInt8>) -> Double? {
    let (sign, rest) = sign(of: word)
    if rest.elementsEqual("inf".utf8) { return sign == "-" ? -Double.infinity : .infinity }
    if rest.elementsEqual("nan".utf8) { return .nan }
    let mantissaEnd = rest.firstIndex { $0 | 0x20 == UInt8(ascii: "e") } ?? rest.endIndex
    let mantissa = rest[..<mantissaEnd]
    let point = mantissa.firstIndex(of: UInt8(ascii: ".")) ?? mantissaEnd
    guard let before = digits(mantissa[..<point], radix: 10), hasNoLeadingZero(mantissa[..<point]) else { return nil }
    var text = sign + before
    if point < mantissaEnd {
      guard let after = digits(mantissa[(point + 1)...], radix: 10) else { return nil }
      text += "." + after
    }
    if mantissaEnd < rest.endIndex {
      let (sign, exponent) = Self.sign(of: rest[(mantissaEnd + 1)...])
      guard let clean = digits(exponent, radix: 10) else { return nil }
      text += "e" + sign + clean
    }
    return Double(text)
  }

  private static func sign(of word: ArraySlice<UInt8>) -> (String, ArraySlice<UInt8>) {
    switch word.first {
    case UInt8(ascii: "-"): ("-", word.dropFirst())
    case UInt8(ascii: "+"): ("", word.dropFirst())
    default: ("", word)
    }
  }

  private static func hasNoLeadingZero(_ word: ArraySlice<UInt8>) -> Bool {
    word.count == 1 || word.first != UInt8(ascii: "0")
  }

  /// The digits without the underscores, each of which has a digit on either side; nil where anything else is among them.
  private static func digits(_ word: ArraySlice<UInt8>, radix: Int) -> String? {
    var clean = ""
    var wasDigit = false
    for byte in word {
      let character = Character(Unicode.Scalar(byte))
      if character == "_" && wasDigit {
        wasDigit = false
      } else if let value = character.hexDigitValue, value < radix {
        clean.append(character)
        wasDigit = true
      } else {
        return nil
      }
    }
    return wasDigit ? clean : nil
  }
}
