internal import Core
internal import Glibc
internal import RuleSets

/// What standard output can show.
enum Terminal {
  /// Colours go to a person's terminal only, and not to one who does not want them (no-color.org).
  static var takesColours: Bool {
    guard isatty(STDOUT_FILENO) == 1, getenv("NO_COLOR") == nil else { return false }
    return getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? false
  }

  enum Colour: String { case red = "31", yellow = "33" }

  static func paint(_ text: String, _ colour: Colour?, ifWanted wanted: Bool) -> String {
    guard wanted, let colour else { return text }
    return "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
  }

  /// Text from outside on one line, without anything that a terminal obeys.
  static func plain(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: \.isControl) else { return text }
    var result = ""
    for scalar in text.unicodeScalars { result.unicodeScalars.append(scalar.isControl ? " " : scalar) }
    return result
  }
}
