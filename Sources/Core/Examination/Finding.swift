/// Something that is wrong on this router, or soon will be, and what to do about it.
package struct Finding: Equatable, Sendable {
  /// With an error, traffic does not go as the rule set says, or will not at the next restart or renewal of keys.
  package enum Severity: String, Equatable, Sendable { case error, warning }

  /// What was looked at.
  package enum Subject: String, CaseIterable, Equatable, Sendable {
    case agent
    case traffic
    case lans
    case uplinks
    case ruleSet = "rule_set"
    case clock
    case dns
    case domains
    case mtu
    case reversePath = "rp_filter"
    case forwarding
    case offload
    case marks
    case tables
    case priorities
    case connections
    case charon
    case kernel
    case certificates
    case state
    case journal
    case libraries
  }

  package var severity: Severity
  package var subject: Subject
  package var text: String
  /// The evidence for it.
  package var evidence: String
  /// A command or a setting.
  package var fix: String

  package init(_ severity: Severity, _ subject: Subject, _ text: String, evidence: String, fix: String) {
    self.severity = severity
    self.subject = subject
    self.text = text
    self.evidence = evidence
    self.fix = fix
  }
}
