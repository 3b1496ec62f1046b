internal import Core
internal import RuleSets

/// Finds what toml++ aborts the process at instead of complaining of it: a table's header that begins with no name, such as
/// `[[[`, and a closing brace where an array's value should be (its parse_key and parse_value assert what their callers do
/// not check). Whatever else is wrong with a text, toml++ says itself.
struct TOMLGuard {
  private let bytes: [UInt8]
  private var place = 0
  private var line = 1
  private var lineStart = 0

  /// Nil if toml++ may have the text.
  static func complaint(_ text: String) -> Complaint? {
    var scan = TOMLGuard(bytes: Array(text.utf8))
    return scan.run()
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func run() -> Complaint? {
    while place < bytes.count {
      skipBlanks()
      guard let next else { return nil }
      if next == UInt8(ascii: "[") {
        if let complaint = header() { return complaint }
      }
      if let complaint = restOfStatement() { return complaint }
    }
    return nil
  }

  private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

  private mutating func skipBlanks() {
    while let byte = next, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { place += 1 }
  }

  /// `[name` or `[[name`. Stands behind the brackets afterwards.
  private mutating func header() -> Complaint? {
    place += 1
    skipBlanks()
    if next == UInt8(ascii: "[") {
      place += 1
      skipBlanks()
    }
    guard let first = next else { return nil }
    let isName =
      (0x30...0x39).contains(first) || (0x41...0x5a).contains(first) || (0x61...0x7a).contains(first)
      || "-_\"']".utf8.contains(first)
    return isName ? nil : complaint("expected a table's name after \"[\"")
  }

  /// To the end of the line, or of the value where that goes on over several.
  private mutating func restOfStatement() -> Complaint? {
    var open: [UInt8] = []
    /// An array has just begun, or a comma stands before.
    var wantsValue = false
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\n"):
        newLine()
        if open.isEmpty { return nil }
      case UInt8(ascii: "#"): while let byte = next, byte != UInt8(ascii: "\n") { place += 1 }
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): place += 1
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        skipString(byte)
        wantsValue = false
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        open.append(byte)
        wantsValue = byte == UInt8(ascii: "[")
        place += 1
      case UInt8(ascii: "}") where wantsValue: return complaint("expected a value, found \"}\"")
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        _ = open.popLast()
        wantsValue = false
        place += 1
      case UInt8(ascii: ","):
        wantsValue = open.last == UInt8(ascii: "[")
        place += 1
      default:
        wantsValue = false
        place += 1
      }
    }
    return nil
  }

  /// A basic or literal string; with three quotes it may have several lines. One that is not closed ends with its line.
  private mutating func skipString(_ quote: UInt8) {
    let isLong = bytes[place...].prefix(3).elementsEqual([quote, quote, quote])
    place += isLong ? 3 : 1
    while let byte = next {
      if byte == UInt8(ascii: "\\") && quote == UInt8(ascii: "\"") {
        if place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "\n") { place += 1 } else { place += 2 }
      } else if byte == quote && (!isLong || bytes[place...].prefix(3).elementsEqual([quote, quote, quote])) {
        place += isLong ? 3 : 1
        return
      } else if byte == UInt8(ascii: "\n") {
        if !isLong { return }
        newLine()
      } else {
        place += 1
      }
    }
  }

  private mutating func newLine() {
    place += 1
    line += 1
    lineStart = place
  }

  private func complaint(_ text: String) -> Complaint {
    Complaint(field: "", "line \(line), column \(place - lineStart + 1): \(text)")
  }
}
