/// One line of the log, with what it is about by name, for logs that keep more than a text.
package struct LogRecord: Equatable, Sendable {
  /// One named value of a record, for structured logs such as the systemd journal.
  package struct Field: Equatable, Sendable {
    /// Lower-case letters, digits and `_`.
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  package var severity: AgentEvent.Severity
  package var text: String
  package var fields: [Field]

  package init(_ severity: AgentEvent.Severity, _ text: String, fields: [Field] = []) {
    self.severity = severity
    self.text = text
    self.fields = fields
  }

  /// The event's kind, what it is about, and its details.
  package static func fields(of event: AgentEvent) -> [Field] {
    var fields = [Field("event", event.kind.rawValue), Field("subject", event.subject)]
    if let part = event.kind.subject { fields.append(Field(part.rawValue, event.part)) }
    let taken = Set(fields.map(\.name))
    return fields + event.details.sorted { $0.key < $1.key }.filter { !taken.contains($0.key) }.map { Field($0, $1) }
  }

  /// syslog's number (RFC 5424 section 6.2.1), which journald takes over.
  package var priority: Int {
    switch severity {
    case .error: 3
    case .warning: 4
    case .notice: 5
    case .info: 6
    case .debug: 7
    }
  }
}
