/// What was typed.
enum Key: Equatable, Sendable {
  case character(Character)
  case up, down, pageUp, pageDown, home, end
  case enter, escape, backspace, tab
  /// Ctrl-C, and the end of the input.
  case interrupt

  /// Reads what a terminal in raw mode sent at once (ECMA-48, and what xterm calls PC-style keys). What it does not know
  /// is left out; an ESC alone is the key.
  static func read(_ bytes: [UInt8]) -> [Key] {
    var keys: [Key] = []
    var rest = bytes[...]
    while let byte = rest.popFirst() {
      switch byte {
      case 0x03, 0x04: keys.append(.interrupt)
      case 0x08, 0x7f: keys.append(.backspace)
      case 0x09: keys.append(.tab)
      case 0x0a, 0x0d: keys.append(.enter)
      case 0x1b: if let key = sequence(&rest) { keys.append(key) }
      case ..<0x20: break
      case ..<0x80: keys.append(.character(Character(Unicode.Scalar(byte))))
      default:
        // The rest of a character in UTF-8.
        var character = [byte]
        while let next = rest.first, next & 0xc0 == 0x80, character.count < 4 { character.append(rest.removeFirst()) }
        if let text = String(validating: character, as: UTF8.self), let only = text.first {
          keys.append(.character(only))
        }
      }
    }
    return keys
  }

  /// After an ESC: `ESC [ parameters letter`, or `ESC O letter`.
  private static func sequence(_ rest: inout ArraySlice<UInt8>) -> Key? {
    guard let kind = rest.first, kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") else { return .escape }
    rest.removeFirst()
    var parameters: [UInt8] = []
    while let byte = rest.popFirst() {
      guard (0x40...0x7e).contains(byte) else {
        parameters.append(byte)
        continue
      }
      switch (byte, parameters.first) {
      case (UInt8(ascii: "A"), _): return .up
      case (UInt8(ascii: "B"), _): return .down
      case (UInt8(ascii: "H"), _), (UInt8(ascii: "~"), UInt8(ascii: "1")), (UInt8(ascii: "~"), UInt8(ascii: "7")):
        return .home
      case (UInt8(ascii: "F"), _), (UInt8(ascii: "~"), UInt8(ascii: "4")), (UInt8(ascii: "~"), UInt8(ascii: "8")):
        return .end
      case (UInt8(ascii: "~"), UInt8(ascii: "5")): return .pageUp
      case (UInt8(ascii: "~"), UInt8(ascii: "6")): return .pageDown
      default: return nil
      }
    }
    return nil
  }
}
