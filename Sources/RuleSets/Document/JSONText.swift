extension DocumentValue {
  /// The value as JSON (RFC 8259), which `StrictJSON` reads back as the same value. With `indented`, each member and item
  /// that is a list or object of lists and objects stands on lines of its own, for people.
  package func jsonText(indented: Bool = false) -> String {
    var text = ""
    write(to: &text, level: indented ? 0 : nil)
    return text
  }

  private func write(to text: inout String, level: Int?) {
    switch self {
    case .null: text += "null"
    case .boolean(let flag): text += flag ? "true" : "false"
    case .integer(let number): text += String(number)
    // JSON has no word for the others; `StrictJSON` never makes one.
    case .decimal(let number): text += number.isFinite ? String(number) : "null"
    case .string(let string): Self.write(string, to: &text)
    case .list(let items):
      Self.write(items, brackets: ("[", "]"), to: &text, level: items.contains(where: \.isNested) ? level : nil) {
        $0.write(to: &$1, level: $2)
      }
    case .object(let members):
      Self.write(members, brackets: ("{", "}"), to: &text, level: level) {
        Self.write($0.key, to: &$1)
        $1 += $2 == nil ? ":" : ": "
        $0.value.write(to: &$1, level: $2)
      }
    }
  }

  private var isNested: Bool {
    switch self {
    case .list, .object: true
    default: false
    }
  }

  private static func write<Part>(
    _ parts: [Part], brackets: (String, String), to text: inout String, level: Int?,
    _ writePart: (Part, inout String, Int?) -> Void
  ) {
    text += brackets.0
    let inner = level.map { $0 + 1 }
    for (index, part) in parts.enumerated() {
      if index > 0 { text += "," }
      breakLine(inner, &text)
      writePart(part, &text, inner)
    }
    if !parts.isEmpty { breakLine(level, &text) }
    text += brackets.1
  }

  private static func breakLine(_ level: Int?, _ text: inout String) {
    guard let level else { return }
    text += "\n" + String(repeating: "  ", count: level)
  }

  private static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
