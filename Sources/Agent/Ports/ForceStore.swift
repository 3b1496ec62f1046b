package import Core
package import RuleSets

/// Keeps what operators say of paths over restarts: one small file, replaced whole.
///
/// Contract: what was saved last is loaded, also after a crash in the middle of the next `save`, which leaves the old or
/// the new. What cannot be read throws, until it is set aside, which keeps it for a person to look at, or replaced.
package protocol ForceStore: Sendable {
  /// Empty if none was saved.
  func load() throws(StoreFailure) -> [Name: ForcedPaths.Entry]
  func save(_ forces: [Name: ForcedPaths.Entry]) throws(StoreFailure)
  /// Moves what is there out of the way. Returns where to.
  func setAside() throws(StoreFailure) -> String
}
