internal import Core
internal import FoundationEssentials

extension EventReport {
  init(_ entry: Journal.Entry) {
    self.init(
      number: entry.number, time: timestamp(entry.time), kind: entry.event.kind.rawValue,
      severity: "\(entry.event.severity)", subject: entry.event.subject, text: entry.event.text,
      details: entry.event.details)
  }
}

/// RFC 3339 in UTC with milliseconds.
private func timestamp(_ time: WallTime) -> String {
  let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
  return Date(timeIntervalSince1970: time.secondsSince1970).formatted(style)
}
