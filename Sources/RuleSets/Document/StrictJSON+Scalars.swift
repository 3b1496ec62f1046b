/// Strings and numbers of a JSON document (RFC 8259 sections 6 and 7).
extension StrictJSON {
  /// From the opening quote to past the closing one.
  mutating func string() throws(Failure) -> String {
    let start = position
    position += 1
    let first = position
    var isASCII = true
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        let text = try text(of: bytes[first..<position], isASCII: isASCII, start: start)
        position += 1
        return text
      case UInt8(ascii: "\\"): return try escapedString(from: first, start: start)
      case 0..<0x20:
        throw rawControlCharacter(byte)
      default:
        isASCII = isASCII && byte < 0x80
        position += 1
      }
    }
    throw failure("expected the text to end with a double quote", at: start)
  }

  /// The rare string that holds an escape: its bytes are written anew.
  private mutating func escapedString(from first: Int, start: Int) throws(Failure) -> String {
    var unescaped = Array(bytes[first..<position])
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        let text = try text(of: unescaped[...], isASCII: false, start: start)
        position += 1
        return text
      case UInt8(ascii: "\\"): unescaped.append(contentsOf: try escape())
      case 0..<0x20:
        throw rawControlCharacter(byte)
      default:
        unescaped.append(byte)
        position += 1
      }
    }
    throw failure("expected the text to end with a double quote", at: start)
  }

  private func rawControlCharacter(_ byte: UInt8) -> Failure {
    if byte == 0x0a || byte == 0x0d { return failure("expected a double quote, found the end of the line") }
    return failure("expected \\u00\(hexadecimalDigits(byte)), found the control character itself")
  }

  private func text(of slice: ArraySlice<UInt8>, isASCII: Bool, start: Int) throws(Failure) -> String {
    if isASCII { return String(decoding: slice, as: UTF8.self) }
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw failure("expected UTF-8, found other bytes in this text", at: start)
    }
    return text
  }

  /// One escape, as UTF-8; the position goes from the backslash to past the escape.
  private mutating func escape() throws(Failure) -> [UInt8] {
    let start = position
    position += 1
    guard let kind = current else { throw failure("expected the text to end with a double quote", at: start) }
    position += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [kind]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return Array(Character(try escapedScalar(start: start)).utf8)
    default: throw failure("JSON has no such escape in text", at: start)
    }
  }

  /// After `\u`. A character beyond the first 65,536 is two escapes, a surrogate pair; half a pair is no character.
  private mutating func escapedScalar(start: Int) throws(Failure) -> Unicode.Scalar {
    let lead = try fourDigits(start: start)
    if let scalar = Unicode.Scalar(lead) { return scalar }
    guard UTF16.isLeadSurrogate(lead), current == UInt8(ascii: "\\") else {
      throw failure("expected a whole surrogate pair, found half of one", at: start)
    }
    position += 1
    guard current == UInt8(ascii: "u") else {
      throw failure("expected a whole surrogate pair, found half of one", at: start)
    }
    position += 1
    let trail = try fourDigits(start: start)
    guard UTF16.isTrailSurrogate(trail) else {
      throw failure("expected a whole surrogate pair, found half of one", at: start)
    }
    let code = 0x1_0000 + (UInt32(lead & 0x3ff) << 10 | UInt32(trail & 0x3ff))
    guard let scalar = Unicode.Scalar(code) else { throw failure("JSON has no such escape in text", at: start) }
    return scalar
  }

  private mutating func fourDigits(start: Int) throws(Failure) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = hexadecimalValue(byte) else {
        throw failure("expected four hexadecimal digits after \\u", at: start)
      }
      value = value << 4 | digit
      position += 1
    }
    return value
  }

  private func hexadecimalValue(_ byte: UInt8) -> UInt16? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  private func hexadecimalDigits(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  /// A number: whole ones that fit 64 bits stay exact, all others become a `Double`.
  mutating func number() throws(Failure) -> DocumentValue {
    let start = position
    let isNegative = current == UInt8(ascii: "-")
    if isNegative { position += 1 }
    let leading = current
    let digits = skipDigits()
    guard digits > 0 else { throw failure("expected a digit, found \(foundHere)") }
    if leading == UInt8(ascii: "0") && digits > 1 {
      throw failure("a number does not begin with a zero", at: start)
    }
    var isWhole = true
    if current == UInt8(ascii: ".") {
      isWhole = false
      position += 1
      guard skipDigits() > 0 else { throw failure("expected a digit after the decimal point") }
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isWhole = false
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      guard skipDigits() > 0 else { throw failure("expected a digit in the exponent") }
    }
    // The longest exact Double has 17 digits; 40 characters leave room for every way of writing one.
    guard position - start <= 40 else { throw failure("expected a number of at most 40 characters", at: start) }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let whole = Int64(text) { return .integer(whole) }
    guard let decimal = Double(text), decimal.isFinite else { throw failure("the number is out of range", at: start) }
    return .decimal(decimal)
  }

  /// How many digits were skipped.
  private mutating func skipDigits() -> Int {
    let start = position
    while let byte = current, Self.digits.contains(byte) { position += 1 }
    return position - start
  }
}
