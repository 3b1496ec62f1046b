internal import RuleSets

extension JournalLine {
  /// The record's line, its end with it. What is too long is cut.
  package static func encode(_ record: EventRecord) -> [UInt8] {
    let record = record.bounded
    var body: [UInt8] = []
    body.reserveCapacity(256)
    body += "\(min(record.number, EventRecord.lastNumber))".utf8
    body.append(tab)
    body += record.time.text.utf8
    body.append(tab)
    body += (record.sincePrevious.map { "\($0.nanoseconds / 1_000_000)" } ?? "-").utf8
    for field in [record.severity.name, record.kind, record.subject, record.text] {
      body.append(tab)
      escape(field, isKey: false, onto: &body)
    }
    for (key, value) in record.details.sorted(by: { $0.key < $1.key }) {
      body.append(tab)
      escape(key, isKey: true, onto: &body)
      body.append(UInt8(ascii: "="))
      escape(value, isKey: false, onto: &body)
    }
    var line: [UInt8] = [format, UInt8(ascii: " ")]
    line.reserveCapacity(headBytes + body.count + 1)
    line += checksum(of: body[...]).utf8
    line.append(UInt8(ascii: " "))
    line += body
    line.append(end)
    return line
  }

  private static func escape(_ text: String, isKey: Bool, onto line: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): line += [byte, byte]
      case UInt8(ascii: "\t"): line += "\\t".utf8
      case UInt8(ascii: "\n"): line += "\\n".utf8
      case UInt8(ascii: "\r"): line += "\\r".utf8
      case 0..<0x20, 0x7f:
        line += [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      case UInt8(ascii: "=") where isKey: line += "\\x3d".utf8
      default: line.append(byte)
      }
    }
  }
}
