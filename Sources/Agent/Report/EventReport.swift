package import Core
internal import RuleSets

extension EventReport {
  package init(_ record: EventRecord) {
    self.init(
      number: record.number, time: record.time.text, kind: record.kind, severity: record.severity.name,
      subject: record.subject, text: record.text, details: record.details,
      afterSeconds: record.sincePrevious?.inSeconds)
  }
}

extension EventsReport {
  package init(
    _ selected: (matching: [EventRecord], omitted: Int), lastNumber: UInt64? = nil, trouble: String? = nil
  ) {
    self.init(
      events: selected.matching.map(EventReport.init), omitted: selected.omitted, lastNumber: lastNumber,
      trouble: trouble)
  }
}
