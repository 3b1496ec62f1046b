/// A log line as journald's socket takes it (systemd's "Native Journal Protocol"): fields one after the other. Bounded,
/// so that one datagram is always enough.
package enum JournalMessage {
  private static let mostFields = 32
  private static let longestValue = 4_096

  package static func encode(_ record: LogRecord, identifier: String = "backhaul") -> [UInt8] {
    var bytes: [UInt8] = []
    put("MESSAGE", record.text, &bytes)
    put("PRIORITY", "\(record.priority)", &bytes)
    put("SYSLOG_IDENTIFIER", identifier, &bytes)
    for field in record.fields.prefix(mostFields) {
      // journald drops a field whose name it does not like, in silence.
      let isName = field.name.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
      }
      if isName && (1...40).contains(field.name.utf8.count) {
        put("BACKHAUL_" + field.name.uppercased(), field.value, &bytes)
      }
    }
    return bytes
  }

  /// A value with a line feed in it comes after its length, in eight bytes, the least first.
  private static func put(_ name: String, _ value: String, _ bytes: inout [UInt8]) {
    let value = Array(value.utf8.prefix(longestValue))
    bytes += Array(name.utf8)
    if value.contains(UInt8(ascii: "\n")) {
      bytes.append(UInt8(ascii: "\n"))
      for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: UInt64(value.count) >> UInt64(shift)))
      }
    } else {
      bytes.append(UInt8(ascii: "="))
    }
    bytes += value
    bytes.append(UInt8(ascii: "\n"))
  }
}
