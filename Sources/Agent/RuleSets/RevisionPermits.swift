internal import Core
internal import RuleSets

/// An operator's order about revisions, reported and kept over restarts.
struct RevisionPermits {
  /// Nil: nothing holds.
  private(set) var permit: RevisionPermit?
  private let store: any PermitStore
  private let events: any EventSink
  private let surroundings: any Surroundings

  /// Nothing is read yet.
  init(_ store: any PermitStore, _ events: any EventSink, _ surroundings: any Surroundings) {
    self.store = store
    self.events = events
    self.surroundings = surroundings
  }

  mutating func load() {
    do {
      permit = try store.load()
    } catch {
      events.record(
        AgentEvent(
          .stateDamaged, "accept-revision",
          "the operator's order about revisions cannot be read, and no lower one is accepted: \(error); "
            + "\(store.setAside())"
        ))
    }
  }

  /// Nil takes it back. Returns why a restart will not know it.
  mutating func set(_ revision: UInt64?, by user: UInt32) -> StoreFailure? {
    let old = permit
    permit = revision.map { RevisionPermit(revision: $0, user: user, since: surroundings.wallTime) }
    if let revision {
      tell("the next rule set of revision \(revision) or higher is accepted, by order of user \(user)", revision)
    } else if let old {
      tell("revision \(old.revision) is no longer accepted, by order of user \(user)", old.revision)
    }
    return save()
  }

  /// - Parameter old: the revision that ran before.
  mutating func isUsed(by revision: UInt64, after old: UInt64?) {
    guard let used = permit else { return }
    permit = nil
    let was = old.map { $0 >= revision ? "was needed" : "was not needed" } ?? "was not needed"
    tell(
      "accepting revision \(used.revision) or higher \(was) for revision \(revision), and is used up",
      used.revision)
    _ = save()
  }

  private func tell(_ text: String, _ revision: UInt64) {
    events.record(AgentEvent(.revisionPermitted, "rule set", text, details: ["revision": "\(revision)"]))
  }

  private func save() -> StoreFailure? {
    do {
      try store.save(permit)
      return nil
    } catch {
      events.record(
        AgentEvent(
          .storeFailed, "accept-revision",
          "which revision is accepted is not saved, and a restart will "
            + "forget it: \(error)"))
      return error
    }
  }
}
