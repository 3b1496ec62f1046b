package import Core

/// What a pull brought.
package enum Fetched: Equatable, Sendable {
  case document(bytes: [UInt8], etag: String?)
  case unchanged
}

/// Why a pull brought nothing. No text in it ever holds a credential.
package struct FetchFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was asked: `GET https://…`.
  package var operation: String
  package var cause: String

  package init(operation: String, cause: String) {
    self.operation = operation
    self.cause = cause
  }

  package var description: String { "\(operation): \(cause)" }
}

/// Where rule sets come from. One call is one attempt, bounded in time and size.
package protocol RuleSetSource: Sendable {
  func fetch(etag: String?) async throws(FetchFailure) -> Fetched
}

/// The accepted rule set, kept across a restart.
package struct StoredRuleSet: Equatable, Sendable {
  package var bytes: [UInt8]
  package var etag: String?
  package var slots: SlotBook

  package init(bytes: [UInt8], etag: String?, slots: SlotBook) {
    self.bytes = bytes
    self.etag = etag
    self.slots = slots
  }
}

/// What is still known about the rule set that was accepted last.
package struct KeptRuleSet: Equatable, Sendable {
  /// Nil if there never was one, or it is lost.
  package var stored: StoredRuleSet?
  /// One was accepted once, whether or not it can still be read.
  package var wasAccepted: Bool
  /// Both copies are there and say the same.
  package var isWhole: Bool
  /// The files that are there and cannot be used, and why.
  package var damage: [StoreFailure]

  package init(
    stored: StoredRuleSet? = nil, wasAccepted: Bool = false, isWhole: Bool = true, damage: [StoreFailure] = []
  ) {
    self.stored = stored
    self.wasAccepted = wasAccepted
    self.isWhole = isWhole
    self.damage = damage
  }

  /// A strict rule may have been in force, and nobody can say which.
  package var isLost: Bool { stored == nil && wasAccepted }
}

/// Keeps the rule set in two copies, each written beside the old one, synced and renamed over it: a power loss or a bad
/// block leaves one of them.
package protocol RuleSetStore: Sendable {
  /// Never fails: files that cannot be read are reported as damage.
  func load() -> KeptRuleSet
  func save(_ stored: StoredRuleSet) throws(StoreFailure)
  /// Moves copies that cannot be used out of the way, for a person to look at. Returns what happened to each, in words.
  func setAsideDamaged() -> [String]
}

/// A file operation that failed: what was asked of which file, and why it did not work.
package struct StoreFailure: Error, Equatable, Sendable, CustomStringConvertible {
  package var operation: String
  package var cause: String

  package init(operation: String, cause: String) {
    self.operation = operation
    self.cause = cause
  }

  package var description: String { "\(operation): \(cause)" }
}
