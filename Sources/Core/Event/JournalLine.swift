/// A record on disk is one line, which `less` shows and any damage spoils alone:
///
///     1 CHECKSUM NUMBER ⇥ TIME ⇥ SINCE ⇥ SEVERITY ⇥ KIND ⇥ SUBJECT ⇥ TEXT [⇥ KEY=VALUE]… ⏎
///
/// `1` is the format; the checksum, of 16 digits, covers the length and the bytes of all that follows it up to the end of
/// the line. TIME is RFC 3339; SINCE is in milliseconds, `-` for none. In text, `\\`, `\t`, `\n`, `\r` and `\xHH` stand for
/// what would end a field or what a terminal obeys.
package enum JournalLine {
  static let format = UInt8(ascii: "1")
  static let tab = UInt8(ascii: "\t")
  static let end = UInt8(ascii: "\n")
  /// `1 ` and the checksum and a blank.
  static let headBytes = 2 + 16 + 1

  static func checksum(of body: ArraySlice<UInt8>) -> String {
    var sum = Checksum()
    sum.add(part: body)
    return sum.text
  }
}
