/// What may be a name: of a command, an event, or a member of a message.
///
/// Names are to be ASCII. charon takes printable ones only (vici_stringify), but gives connections of other backends
/// under whatever name they have, so any text passes that does no harm in a log.
enum VICIName {
  static let maximumLength = 255

  static func isGood(_ name: String) -> Bool { name.utf8.allSatisfy(isPrintable) }

  /// charon's words, as fit for one line of a log.
  static func printable(_ text: String) -> String {
    String(decoding: text.utf8.prefix(1024).map { isPrintable($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }

  private static func isPrintable(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7f }
}
