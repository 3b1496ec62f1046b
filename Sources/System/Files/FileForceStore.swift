package import Agent
package import Core
package import RuleSets

/// Paths' forced states, in one JSON file of mode 0600 with a checksum.
package struct FileForceStore: ForceStore {
  /// A thousand paths whose reasons are all escaped bytes make a megabyte and a half.
  private static let maximumBytes = 4 << 20

  package let path: String

  /// `forces.json` in this directory, which must be there.
  package init(directory: String) { path = directory + "/forces.json" }

  /// One entry that cannot be used makes the whole file unreadable: half of what operators said is worse than none.
  package func load() throws(StoreFailure) -> [Name: ForcedPaths.Entry] {
    let kept: Contents? = try StoredDocument.read(path, atMost: Self.maximumBytes)
    guard let contents = kept else { return [:] }
    guard contents.forces.count <= ForcedPaths.capacity else {
      throw StoredDocument.refusal(of: path, "more forced paths than there can be")
    }
    var result: [Name: ForcedPaths.Entry] = [:]
    for kept in contents.forces {
      guard let name = Name(kept.path), let entry = kept.entry else {
        throw StoredDocument.refusal(of: path, "unusable force for \(quoted(kept.path))")
      }
      result[name] = entry
    }
    return result
  }

  /// Replaces the file, sorted by path, so that the same forces make the same bytes.
  package func save(_ forces: [Name: ForcedPaths.Entry]) throws(StoreFailure) {
    try StoredDocument.write(
      Contents(forces: forces.sorted { $0.key < $1.key }.map { Kept($0.key, $0.value) }), to: path)
  }

  /// Renames it to `forces.json.damaged`, replacing one that was set aside before.
  package func setAside() throws(StoreFailure) -> String {
    do throws(SystemCallFailure) { return try SetAside.rename(path) } catch {
      throw StoreFailure(error)
    }
  }
}

private struct Contents: StoredContents {
  static let currentFormat = 1

  var format = currentFormat
  var checksum = ""
  var forces: [Kept]

  init(forces: [Kept]) { self.forces = forces }

  var computedChecksum: String {
    var sum = Checksum()
    sum.add(part: "\(format)".utf8)
    for kept in forces {
      sum.add(part: kept.path.utf8)
      sum.add(part: kept.force.utf8)
      sum.add(part: "\(kept.since) \(kept.until.map(String.init) ?? "-") \(kept.user)".utf8)
      // An absent reason and an empty one are not the same.
      sum.add(part: (kept.reason.map { "=" + $0 } ?? "").utf8)
    }
    return sum.text
  }
}

private struct Kept: Codable {
  var path: String
  var force: String
  /// Milliseconds since 1970.
  var since: Int
  var until: Int?
  var user: UInt32
  var reason: String?

  init(_ path: Name, _ entry: ForcedPaths.Entry) {
    self.path = path.text
    force = entry.force.rawValue
    since = entry.since.milliseconds
    until = entry.until?.milliseconds
    user = entry.user
    reason = entry.reason
  }

  var entry: ForcedPaths.Entry? {
    guard let force = PathHealth.Force(rawValue: force) else { return nil }
    return ForcedPaths.Entry(
      force, since: WallTime(milliseconds: since), until: until.map(WallTime.init(milliseconds:)), user: user,
      reason: reason)
  }
}
