package import RuleSets

/// One event as the timetable keeps it: numbered and timed.
package struct EventRecord: Equatable, Sendable {
  /// Rises by one with each event, over restarts too.
  package var number: UInt64
  /// The wall clock's time then. It steps: a router without a battery boots in another year.
  package var time: WallTime
  /// By the monotonic clock, since the record before; nil for the first of an agent's life.
  package var sincePrevious: Duration?
  /// A word of `AgentEvent.Kind`, or one that another version wrote.
  package var kind: String
  package var severity: AgentEvent.Severity
  package var subject: String
  package var text: String
  package var details: [String: String]

  package init(
    number: UInt64, time: WallTime, sincePrevious: Duration?, kind: String, severity: AgentEvent.Severity,
    subject: String, text: String, details: [String: String]
  ) {
    self.number = number
    self.time = time
    self.sincePrevious = sincePrevious
    self.kind = kind
    self.severity = severity
    self.subject = subject
    self.text = text
    self.details = details
  }

  package init(_ event: AgentEvent, number: UInt64, time: WallTime, sincePrevious: Duration?) {
    self.init(
      number: number, time: time, sincePrevious: sincePrevious, kind: event.kind.rawValue, severity: event.severity,
      subject: event.subject, text: event.text, details: event.details)
  }

  /// The last number that there can be: JSON's readers hold whole numbers exactly up to here.
  package static let lastNumber: UInt64 = 1 << 53

  private static let maximumWord = 64
  private static let maximumSubject = 256
  private static let maximumText = 4_096
  private static let maximumDetail = 1_024
  private static let maximumDetails = 4_096

  /// In storable form: no part longer than its limit, so that lines, events in memory and answers are bounded too;
  /// times to the millisecond.
  package var bounded: EventRecord {
    var record = self
    record.time = WallTime(milliseconds: time.milliseconds)
    record.sincePrevious = sincePrevious.map { .milliseconds(max(0, $0.nanoseconds) / 1_000_000) }
    record.kind = cut(kind, to: Self.maximumWord)
    record.subject = cut(subject, to: Self.maximumSubject)
    record.text = cut(text, to: Self.maximumText)
    record.details = [:]
    var size = 0
    for (key, value) in details.sorted(by: { $0.key < $1.key }) {
      let (key, value) = (cut(key, to: Self.maximumWord), cut(value, to: Self.maximumDetail))
      size += key.utf8.count + value.utf8.count
      if size > Self.maximumDetails { break }
      record.details[key] = value
    }
    return record
  }
}

/// At most this many bytes of UTF-8, with an ellipsis at the end if something was cut off.
private func cut(_ text: String, to limit: Int) -> String {
  guard text.utf8.count > limit else { return text }
  var kept = ""
  var size = 3
  for scalar in text.unicodeScalars {
    size += UTF8.width(scalar)
    if size > limit { break }
    kept.unicodeScalars.append(scalar)
  }
  return kept + "…"
}

extension EventRecord {
  /// It is one of the rules that share the egress that the event is about.
  package func isAbout(rule: String) -> Bool {
    details["rules"]?.split(separator: ",").contains { $0 == rule } ?? false
  }
}
