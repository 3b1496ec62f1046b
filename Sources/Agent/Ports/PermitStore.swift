package import Core

/// Keeps an operator's word on revisions over restarts: one small file, replaced whole.
package protocol PermitStore: Sendable {
  /// Nil if there is none; throws if there is one that cannot be read.
  func load() throws(StoreFailure) -> RevisionPermit?
  /// Nil: it is used up, or taken back.
  func save(_ permit: RevisionPermit?) throws(StoreFailure)
  /// Moves what is there out of the way. Returns what happened to it, in words.
  func setAside() -> String
}
