package import Agent
package import Core
internal import RuleSets

/// An operator's permit for a lower revision, in one JSON file of mode 0600 with a checksum. No permit means no file.
package struct FilePermitStore: PermitStore {
  private static let maximumBytes = 4 << 10

  package let path: String

  /// `accept-revision.json` in this directory, which must be there before anything is saved.
  package init(directory: String) { path = directory + "/accept-revision.json" }

  /// Throws if the file is there and cannot be read, is damaged, or is of another format.
  package func load() throws(StoreFailure) -> RevisionPermit? {
    let kept: Contents? = try StoredDocument.read(path, atMost: Self.maximumBytes)
    guard let contents = kept else { return nil }
    return RevisionPermit(
      revision: contents.revision, user: contents.user, since: WallTime(milliseconds: contents.since))
  }

  /// Nil removes the file.
  package func save(_ permit: RevisionPermit?) throws(StoreFailure) {
    guard let permit else { return try StoredDocument.remove(path) }
    try StoredDocument.write(
      Contents(revision: permit.revision, user: permit.user, since: permit.since.milliseconds), to: path)
  }

  /// Renames it to `accept-revision.json.damaged`.
  package func setAside() -> String { SetAside.move(path) }

  private struct Contents: StoredContents {
    static let currentFormat = 1

    var format = currentFormat
    var checksum = ""
    var revision: UInt64
    var user: UInt32
    /// Milliseconds since 1970.
    var since: Int

    init(revision: UInt64, user: UInt32, since: Int) {
      self.revision = revision
      self.user = user
      self.since = since
    }

    var computedChecksum: String {
      var sum = Checksum()
      sum.add(part: "\(format) \(revision) \(user) \(since)".utf8)
      return sum.text
    }
  }
}
