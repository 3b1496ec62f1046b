package import Core

/// What a pull brought.
package enum Fetched: Equatable, Sendable {
  case document(bytes: [UInt8], etag: String?)
  case unchanged
}

/// Why a pull brought nothing. No text in it ever holds a credential.
package struct FetchFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was asked of whom: `GET https://…`.
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

/// The accepted rule set, kept over a restart.
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

/// Keeps it: one file, written beside the old one, synced and renamed over it, so that a power loss leaves one of both.
package protocol RuleSetStore: Sendable {
  /// Nil where none was stored; throws where one was and cannot be read.
  func load() throws(StoreFailure) -> StoredRuleSet?
  func save(_ stored: StoredRuleSet) throws(StoreFailure)
}

package struct StoreFailure: Error, Equatable, Sendable, CustomStringConvertible {
  package var operation: String
  package var cause: String

  package init(operation: String, cause: String) {
    self.operation = operation
    self.cause = cause
  }

  package var description: String { "\(operation): \(cause)" }
}
