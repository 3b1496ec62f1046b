package import Agent
package import Core
internal import FoundationEssentials
internal import Glibc

/// What an operator said of revisions, in one JSON file of mode 0600 under a checksum; no file where nothing holds.
package struct FilePermitStore: PermitStore {
  private static let maximumBytes = 4 << 10

  package let path: String

  /// `accept-revision.json` in this directory, which must be there before anything is saved.
  package init(directory: String) { path = directory + "/accept-revision.json" }

  package func load() throws(StoreFailure) -> RevisionPermit? {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: Self.maximumBytes)
    } catch {
      if error.errno == ENOENT { return nil }
      throw StoreFailure(operation: error.operation, cause: error.cause)
    }
    guard let contents = try? JSONDecoder().decode(Contents.self, from: Data(bytes)) else {
      throw refusal("cut off or not written by this agent")
    }
    guard contents.format == Contents.currentFormat else {
      throw refusal("format \(contents.format), but this version reads \(Contents.currentFormat)")
    }
    guard contents.checksum == contents.computedChecksum else { throw refusal("its checksum is wrong") }
    return RevisionPermit(
      revision: contents.revision, user: contents.user, since: WallTime(milliseconds: contents.since))
  }

  package func save(_ permit: RevisionPermit?) throws(StoreFailure) {
    guard let permit else {
      guard unlink(path) == 0 || errno == ENOENT else {
        let failure = SystemCallFailure.last("remove \(path)")
        throw StoreFailure(operation: failure.operation, cause: failure.cause)
      }
      return
    }
    var contents = Contents(revision: permit.revision, user: permit.user, since: permit.since.milliseconds)
    contents.checksum = contents.computedChecksum
    try StoredDocument.write(contents, to: path)
  }

  package func setAside() -> String { SetAside.move(path) }

  private func refusal(_ cause: String) -> StoreFailure { StoreFailure(operation: "read \(path)", cause: cause) }

  private struct Contents: Codable {
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
