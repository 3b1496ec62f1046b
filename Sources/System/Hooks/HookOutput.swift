internal import Core
internal import RuleSets

/// What is kept of a hook's output: the first lines, the beginning of each, without control characters.
enum HookOutput {
  private static let mostLines = 10
  private static let mostLetters = 200

  static func lines(_ bytes: [UInt8]) -> [String] {
    lines(String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline))
  }

  static func lines(_ lines: [some StringProtocol]) -> [String] { lines.prefix(mostLines).map { plain($0) } }

  static func plain(_ line: some StringProtocol) -> String {
    String(
      String.UnicodeScalarView(
        line.unicodeScalars.prefix(mostLetters).map { scalar -> Unicode.Scalar in
          scalar.isControl ? " " : scalar
        }))
  }
}
