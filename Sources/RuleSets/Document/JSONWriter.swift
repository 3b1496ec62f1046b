/// Writes encoded values as JSON (RFC 8259): members in the order of their keys, text with as few escapes as can be.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private let isIndented: Bool

  init(isIndented: Bool) { self.isIndented = isIndented }

  mutating func write(_ value: EncodedValue, level: Int) {
    switch value {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .boolean(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    case .number(let digits): bytes.append(contentsOf: digits.utf8)
    case .string(let text): write(text)
    case .list(let branch): write(branch, level) { $0.write(branch.values[$1], level: $2) }
    case .object(let branch): writeMembers(branch, level)
    case .later(let encoder): write(encoder.value ?? .object(EncodedValue.Branch()), level: level)
    }
  }

  private mutating func writeMembers(_ branch: EncodedValue.Branch, _ level: Int) {
    let order = branch.keys.indices.sorted { branch.keys[$0] < branch.keys[$1] }
    write(branch, level, brackets: (UInt8(ascii: "{"), UInt8(ascii: "}"))) { writer, place, inner in
      writer.write(branch.keys[order[place]])
      writer.bytes.append(UInt8(ascii: ":"))
      if writer.isIndented { writer.bytes.append(UInt8(ascii: " ")) }
      writer.write(branch.values[order[place]], level: inner)
    }
  }

  private mutating func write(
    _ branch: EncodedValue.Branch, _ level: Int,
    brackets: (UInt8, UInt8) = (UInt8(ascii: "["), UInt8(ascii: "]")),
    _ writePart: (inout JSONWriter, Int, Int) -> Void
  ) {
    bytes.append(brackets.0)
    for place in branch.values.indices {
      if place > 0 { bytes.append(UInt8(ascii: ",")) }
      breakLine(level + 1)
      writePart(&self, place, level + 1)
    }
    if !branch.values.isEmpty { breakLine(level) }
    bytes.append(brackets.1)
  }

  private mutating func breakLine(_ level: Int) {
    guard isIndented else { return }
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * level))
  }

  /// A whole rule set may be one text in a stored document: what needs no escape goes in one piece.
  private mutating func write(_ text: String) {
    var text = text
    bytes.append(UInt8(ascii: "\""))
    text.withUTF8 { letters in
      var begun = 0
      for (place, letter) in letters.enumerated()
      where letter < 0x20 || letter == UInt8(ascii: "\"") || letter == UInt8(ascii: "\\") {
        bytes.append(contentsOf: letters[begun..<place])
        writeEscaped(letter)
        begun = place + 1
      }
      bytes.append(contentsOf: letters[begun...])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func writeEscaped(_ letter: UInt8) {
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): escape(letter)
    case 0x08: escape(UInt8(ascii: "b"))
    case 0x09: escape(UInt8(ascii: "t"))
    case 0x0a: escape(UInt8(ascii: "n"))
    case 0x0c: escape(UInt8(ascii: "f"))
    case 0x0d: escape(UInt8(ascii: "r"))
    default:
      bytes.append(contentsOf: letter < 0x10 ? "\\u000".utf8 : "\\u00".utf8)
      bytes.append(contentsOf: String(letter, radix: 16).utf8)
    }
  }

  private mutating func escape(_ letter: UInt8) {
    bytes.append(UInt8(ascii: "\\"))
    bytes.append(letter)
  }
}
