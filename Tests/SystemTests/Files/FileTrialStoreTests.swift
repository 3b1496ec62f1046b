import Agent
import Core
internal import RuleSets
import System
import Testing

@Suite struct FileTrialStoreTests {
  let folder: Folder
  let store: FileTrialStore

  init() throws {
    folder = try Folder()
    store = FileTrialStore(directory: folder.path)
  }

  private typealias Note = RuleSetTrial.Note
  private static let candidate = RuleSetTrial.Candidate(Array("{}".utf8), revision: 8)
  private static let phases: [Note.Phase] = [
    .applying, .running, .rejected(.died), .rejected(.unconfirmed(missing: [.source])),
    .rejected(.startedTooOften(missing: [.source])),
  ]

  @Test(arguments: phases)
  private func `a note stays until it is removed`(_ phase: Note.Phase) throws {
    var note = Note(
      candidate: Self.candidate, phase: phase, left: .milliseconds(12_345), awaits: [.source], starts: 2, returnsTo: 7)
    if case .rejected = phase { note.awaits = [] }
    #expect(try store.note() == nil)
    try store.write(note)
    #expect(try FileTrialStore(directory: folder.path).note() == note)
    try store.write(nil)
    try store.write(nil)
    #expect(try store.note() == nil)
    #expect(try folder.names == [])
  }

  @Test(arguments: [
    "", "{", "{}", "null",
    #"{"format":1,"checksum":"00","rule_set":"00","revision":1,"phase":"running","left_ms":1,"awaits":[],"starts":1}"#,
  ])
  func `a damaged note is reported and set aside`(_ text: String) throws {
    try folder.write(Array(text.utf8), to: "rule-set.trial.json")
    #expect(throws: StoreFailure.self) { try store.note() }
    #expect(store.setAside().contains("rule-set.trial.json.damaged"))
    #expect(try store.note() == nil)
  }

  @Test func `a note cut at any byte is reported, and never read as another note`() throws {
    let note = Note(candidate: Self.candidate, phase: .running, left: .seconds(600), awaits: [.source], starts: 1)
    try store.write(note)
    let whole = try folder.bytes(of: "rule-set.trial.json")
    for length in 0..<whole.count {
      try folder.write(Array(whole[..<length]), to: "rule-set.trial.json")
      #expect(throws: StoreFailure.self, "cut at \(length)") { try store.note() }
    }
    for index in whole.indices {
      var altered = whole
      altered[index] ^= 1
      try folder.write(altered, to: "rule-set.trial.json")
      if let read = try? store.note() { #expect(read == note, "byte \(index)") }
    }
  }

  @Test func `the rule set on trial is kept beside the confirmed one`() throws {
    let stored = StoredRuleSet(bytes: Array("{\"revision\":8}".utf8), etag: "\"8\"", slots: SlotBook())
    #expect(try store.candidate() == nil)
    try store.store(stored)
    #expect(try store.candidate() == stored)
    #expect(FileRuleSetStore(directory: folder.path).load() == KeptRuleSet())
    try store.dropCandidate()
    try store.dropCandidate()
    #expect(try store.candidate() == nil)
  }

  /// What an agent would start with, and so what the guard uses.
  @Test func `agent and guard choose the same one of both generations`() throws {
    let old = StoredRuleSet(bytes: Array("{\"revision\":7}".utf8), etag: nil, slots: SlotBook())
    let new = StoredRuleSet(bytes: Array("{\"revision\":8}".utf8), etag: nil, slots: SlotBook())
    let confirmed = FileRuleSetStore(directory: folder.path)
    try confirmed.save(old)
    var note = Note(
      candidate: .init(new.bytes, revision: 8), phase: .running, left: .seconds(60), awaits: [.source], starts: 1)
    try store.store(new)
    #expect(KeptGenerations(in: folder.path).current == old, "without a note")
    try store.write(note)
    #expect(KeptGenerations(in: folder.path).current == new)
    note.phase = .applying
    try store.write(note)
    #expect(KeptGenerations(in: folder.path).current == old)
    note.phase = .running
    try store.write(note)
    let whole = try folder.bytes(of: "rule-set.candidate.json")
    for length in 0..<whole.count {
      try folder.write(Array(whole[..<length]), to: "rule-set.candidate.json")
      #expect(KeptGenerations(in: folder.path).current == old, "cut at \(length)")
    }
    try store.store(new)
    for name in ["rule-set.json", "rule-set.copy.json"] { try folder.write([], to: name) }
    #expect(KeptGenerations(in: folder.path).current == new, "the confirmed one is lost")
    try store.dropCandidate()
    #expect(KeptGenerations(in: folder.path).isLost)
  }

  @Test func `if the directory is not one, there is no note, and none can be written`() throws {
    try folder.write([], to: "file")
    let nowhere = FileTrialStore(directory: folder.path + "/file")
    #expect(try nowhere.note() == nil)
    #expect(try nowhere.candidate() == nil)
    #expect(throws: StoreFailure.self) { try nowhere.write(Note(candidate: Self.candidate, phase: .applying)) }
    try nowhere.write(nil)
    try nowhere.dropCandidate()
  }
}
