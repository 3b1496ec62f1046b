package import RuleSets

/// A log line as RFC 5424 has it, with its fields as structured data. At most 2,048 bytes, which every receiver should
/// take (section 6.1): what is too long loses fields first, then the end of its text.
package enum SyslogMessage {
  private static let limit = 2_048
  /// Of system daemons.
  private static let facility = 3
  /// 32473 is the number that RFC 5612 keeps for those that have none of their own.
  private static let identifier = "backhaul@32473"

  package static func encode(_ record: LogRecord, at time: WallTime, host: String, process: Int32) -> [UInt8] {
    let event = record.fields.first { $0.name == "event" }?.value ?? ""
    var bytes = Array(
      "<\(facility * 8 + record.priority)>1 \(time.text) \(word(host, 255)) backhaul \(process) \(word(event, 32)) "
        .utf8)
    let text = record.text.unicodeScalars.map { scalar -> Unicode.Scalar in
      scalar.value < 0x20 || scalar.value == 0x7f ? " " : scalar
    }
    let message = Array(String(String.UnicodeScalarView(text)).utf8)
    let room = limit - bytes.count - min(message.count, limit / 2) - 2
    bytes += data(record.fields, atMost: room)
    bytes.append(UInt8(ascii: " "))
    bytes += cut(message, to: limit - bytes.count)
    return bytes
  }

  private static func data(_ fields: [LogRecord.Field], atMost room: Int) -> [UInt8] {
    var bytes = Array("[\(identifier)".utf8)
    for field in fields {
      var part = Array(" \(word(field.name, 32))=\"".utf8)
      for byte in field.value.utf8.prefix(512) {
        // Section 6.3.3.
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "]") {
          part.append(UInt8(ascii: "\\"))
        }
        part.append(byte < 0x20 ? UInt8(ascii: " ") : byte)
      }
      part.append(UInt8(ascii: "\""))
      guard bytes.count + part.count < room else { break }
      bytes += part
    }
    return bytes.count > identifier.utf8.count + 1 ? bytes + [UInt8(ascii: "]")] : [UInt8(ascii: "-")]
  }

  /// PRINTUSASCII without what would end it; "-" for nothing.
  private static func word(_ text: String, _ limit: Int) -> String {
    let letters = text.utf8.filter { (0x21..<0x7f).contains($0) && $0 != UInt8(ascii: "\"") }
    let kept = letters.filter { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "]") }.prefix(limit)
    return kept.isEmpty ? "-" : String(decoding: kept, as: UTF8.self)
  }

  /// Not in the middle of a letter of UTF-8.
  private static func cut(_ bytes: [UInt8], to count: Int) -> ArraySlice<UInt8> {
    guard bytes.count > count else { return bytes[...] }
    var end = max(0, count)
    while end > 0 && bytes[end] & 0xc0 == 0x80 { end -= 1 }
    return bytes[..<end]
  }
}
