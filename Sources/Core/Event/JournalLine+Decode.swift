internal import RuleSets

extension JournalLine {
  /// The record of a line without its line end; nil if it is torn, altered or of another format.
  package static func decode(_ line: ArraySlice<UInt8>) -> EventRecord? {
    guard line.count > headBytes, line.starts(with: [format, UInt8(ascii: " ")]) else { return nil }
    let body = line.dropFirst(headBytes)
    let head = line[line.startIndex + 2..<body.startIndex]
    guard head.last == UInt8(ascii: " "), head.dropLast().elementsEqual(checksum(of: body).utf8) else { return nil }
    return record(of: body)
  }

  private static func record(of body: ArraySlice<UInt8>) -> EventRecord? {
    var fields = body.split(separator: tab, omittingEmptySubsequences: false)[...]
    guard fields.count >= 7, let number = number(fields[0]), number > 0, number <= EventRecord.lastNumber,
      let time = text(fields[1]).flatMap({ WallTime(text: $0) }),
      let severity = text(fields[3]).flatMap(AgentEvent.Severity.init(name:)),
      let kind = text(fields[4]), let subject = text(fields[5]), let words = text(fields[6])
    else { return nil }
    var since: Duration?
    if !fields[2].elementsEqual("-".utf8) {
      guard let milliseconds = self.number(fields[2]), milliseconds <= EventRecord.lastNumber else { return nil }
      since = .milliseconds(Int64(milliseconds))
    }
    fields = fields.dropFirst(7)
    var details: [String: String] = [:]
    for field in fields {
      guard let equals = field.firstIndex(of: UInt8(ascii: "=")), let key = text(field[..<equals]),
        let value = text(field[(equals + 1)...]), details.updateValue(value, forKey: key) == nil
      else { return nil }
    }
    return EventRecord(
      number: number, time: time, sincePrevious: since, kind: kind, severity: severity, subject: subject, text: words,
      details: details)
  }

  private static func number(_ field: ArraySlice<UInt8>) -> UInt64? {
    // Nineteen digits fit; a sign does not belong here.
    guard (1...19).contains(field.count) else { return nil }
    var value: UInt64 = 0
    for byte in field {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
    }
    return value
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String? {
    guard field.contains(UInt8(ascii: "\\")) else { return String(validating: field, as: UTF8.self) }
    var bytes: [UInt8] = []
    var rest = field
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      switch rest.popFirst() {
      case UInt8(ascii: "\\")?: bytes.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "t")?: bytes.append(tab)
      case UInt8(ascii: "n")?: bytes.append(end)
      case UInt8(ascii: "r")?: bytes.append(UInt8(ascii: "\r"))
      case UInt8(ascii: "x")?:
        guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else { return nil }
        bytes.append(high << 4 | low)
      default: return nil
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
