package import Agent
package import Core
internal import RuleSets

/// What a trial needs over a restart, in two JSON files of mode 0600, each under a checksum:
///
///     rule-set.trial.json       how far the trial has come, or why a rule set was rolled back
///     rule-set.candidate.json   the rule set on trial, as `StoredGeneration` has it
package struct FileTrialStore: TrialStore {
  private static let maximumBytes = 4096

  package let path: String
  private let candidatePath: String

  /// The files are in this directory, which must be there before anything is saved.
  package init(directory: String) {
    path = directory + "/rule-set.trial.json"
    candidatePath = directory + "/rule-set.candidate.json"
  }

  /// Throws also where the file is whole but has words that this version does not know.
  package func note() throws(StoreFailure) -> RuleSetTrial.Note? {
    let kept: Contents? = try StoredDocument.read(path, atMost: Self.maximumBytes)
    guard let contents = kept else { return nil }
    guard let note = contents.note else {
      throw StoredDocument.refusal(
        of: path,
        "it has words that this version does "
          + "not know")
    }
    return note
  }

  /// Nil removes the file.
  package func write(_ note: RuleSetTrial.Note?) throws(StoreFailure) {
    guard let note else { return try StoredDocument.remove(path) }
    try StoredDocument.write(Contents(note), to: path)
  }

  /// Renames it to `rule-set.trial.json.damaged`.
  package func setAside() -> String { SetAside.move(path) }

  /// Throws if the file is there and cannot be read, is damaged, or is of another format.
  package func candidate() throws(StoreFailure) -> StoredRuleSet? { try StoredGeneration.read(candidatePath) }

  /// Replaces the file.
  package func store(_ candidate: StoredRuleSet) throws(StoreFailure) {
    try StoredGeneration.write(candidate, to: candidatePath)
  }

  /// Removes the file; one that is gone already is no error.
  package func dropCandidate() throws(StoreFailure) { try StoredDocument.remove(candidatePath) }
}

private struct Contents: StoredContents {
  static let currentFormat = 1

  var format = currentFormat
  var checksum = ""
  /// The checksum of the rule set's text.
  var ruleSet: String
  var revision: UInt64
  /// `applying`, `running`, or why it was rolled back: `died`, `unconfirmed`, `started_too_often`, `word`.
  var phase: String
  var leftMilliseconds: Int
  /// Raw values of `RuleSetTrial.Evidence`: what has not been seen yet.
  var awaits: [String]
  var starts: Int
  var returnsTo: UInt64?

  enum CodingKeys: String, CodingKey {
    case format, checksum, revision, phase, awaits, starts
    case ruleSet = "rule_set"
    case leftMilliseconds = "left_ms"
    case returnsTo = "returns_to"
  }

  init(_ note: RuleSetTrial.Note) {
    ruleSet = note.candidate.checksum
    revision = note.candidate.revision
    var missing = note.awaits
    switch note.phase {
    case .applying: phase = "applying"
    case .running: phase = "running"
    case .rejected(.died): phase = "died"
    case .rejected(.unconfirmed(let unseen)):
      phase = "unconfirmed"
      missing = unseen
    case .rejected(.startedTooOften(let unseen)):
      phase = "started_too_often"
      missing = unseen
    }
    leftMilliseconds = Int(note.left.nanoseconds / 1_000_000)
    awaits = missing.map(\.rawValue).sorted()
    starts = note.starts
    returnsTo = note.returnsTo
  }

  /// The note; nil if it has words that this version does not know.
  var note: RuleSetTrial.Note? {
    let known = awaits.compactMap(RuleSetTrial.Evidence.init)
    guard known.count == awaits.count, let phase = read(missing: Set(known)) else { return nil }
    var isRejected = false
    if case .rejected = phase { isRejected = true }
    return RuleSetTrial.Note(
      candidate: .init(checksum: ruleSet, revision: revision), phase: phase,
      left: .milliseconds(Int64(max(0, min(leftMilliseconds, 1 << 40)))), awaits: isRejected ? [] : Set(known),
      starts: starts, returnsTo: returnsTo)
  }

  private func read(missing: Set<RuleSetTrial.Evidence>) -> RuleSetTrial.Note.Phase? {
    switch phase {
    case "applying": .applying
    case "running": .running
    case "died": .rejected(.died)
    case "unconfirmed": .rejected(.unconfirmed(missing: missing))
    case "started_too_often": .rejected(.startedTooOften(missing: missing))
    default: nil
    }
  }

  var computedChecksum: String {
    var sum = Checksum()
    sum.add(part: "\(format) \(ruleSet) \(revision) \(phase) \(leftMilliseconds) \(starts)".utf8)
    for word in awaits { sum.add(part: word.utf8) }
    sum.add(part: (returnsTo.map { "=\($0)" } ?? "").utf8)
    return sum.text
  }
}

extension KeptGenerations {
  /// The generations in this directory.
  package init(in directory: String) {
    self.init(FileRuleSetStore(directory: directory), FileTrialStore(directory: directory))
  }
}
