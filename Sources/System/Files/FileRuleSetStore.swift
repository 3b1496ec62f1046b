package import Agent
internal import Core
internal import Glibc
internal import RuleSets

/// The confirmed rule set in two JSON files of mode 0600, each as `StoredGeneration` has it.
///
///     rule-set.json        the rule set
///     rule-set.copy.json   the same, written after it: where both can be read, the first is never the older one
///     rule-set.accepted    empty: its existence says that there has been one, and there is nothing to damage in it
///     *.damaged            what could not be read, set aside
package struct FileRuleSetStore: RuleSetStore {
  package let path: String
  private let copyPath: String
  private let markerPath: String

  /// The files are in this directory, which must be there before anything is saved.
  package init(directory: String) {
    path = directory + "/rule-set.json"
    copyPath = directory + "/rule-set.copy.json"
    markerPath = directory + "/rule-set.accepted"
  }

  /// Prefers the first file; decodes the copy only where the two differ.
  package func load() -> KeptRuleSet {
    var damage: [StoreFailure] = []
    let first = bytes(of: path, &damage)
    let second = bytes(of: copyPath, &damage)
    var stored = decoded(first, path, &damage)
    let areAlike = first == second
    // Decoded only where it differs: it is as large as the first.
    if !areAlike, let copy = decoded(second, copyPath, &damage) { stored = stored ?? copy }
    return KeptRuleSet(
      stored: stored, wasAccepted: stored != nil || !damage.isEmpty || hasTraces,
      isWhole: areAlike && damage.isEmpty, damage: damage)
  }

  /// Writes the first file, then the copy, then the marker. If the first cannot be written and holds nothing readable,
  /// the copy is still written, and the failure is thrown.
  package func save(_ stored: StoredRuleSet) throws(StoreFailure) {
    do throws(StoreFailure) {
      try StoredGeneration.write(stored, to: path)
    } catch {
      // Where the first file holds an older rule set that can be read, that one counts, and the copy must not become
      // the newer of the two.
      var damage: [StoreFailure] = []
      guard decoded(bytes(of: path, &damage), path, &damage) == nil else { throw error }
      try? StoredGeneration.write(stored, to: copyPath)
      try? mark()
      throw error
    }
    try StoredGeneration.write(stored, to: copyPath)
    try mark()
  }

  /// Makes sure that the marker is there before a damaged file is renamed.
  package func setAsideDamaged() -> [String] {
    var told: [String] = []
    for path in [path, copyPath] {
      var damage: [StoreFailure] = []
      guard decoded(bytes(of: path, &damage), path, &damage) == nil, !damage.isEmpty else { continue }
      // Before the file goes: while there is no rule set, the trace of one is what keeps traffic held.
      try? mark()
      told.append(SetAside.move(path))
    }
    return told
  }

  // MARK: - The files

  private func mark() throws(StoreFailure) {
    var status = stat()
    if lstat(markerPath, &status) == 0 { return }
    do throws(SystemCallFailure) { try AtomicFile.write([], to: markerPath) } catch {
      throw StoreFailure(error)
    }
  }

  private var hasTraces: Bool {
    [markerPath, SetAside.place(of: path), SetAside.place(of: copyPath)].contains { path in
      var status = stat()
      return lstat(path, &status) == 0 || errno != ENOENT
    }
  }

  /// The file's bytes; nil if there is no such file or it cannot be read, and then `damage` says why.
  private func bytes(of path: String, _ damage: inout [StoreFailure]) -> [UInt8]? {
    do throws(SystemCallFailure) {
      return try BoundedFile.read(path, atMost: StoredGeneration.maximumBytes)
    } catch {
      if error.errno != ENOENT { damage.append(StoreFailure(error)) }
      return nil
    }
  }

  private func decoded(_ bytes: [UInt8]?, _ path: String, _ damage: inout [StoreFailure]) -> StoredRuleSet? {
    guard let bytes else { return nil }
    do throws(StoreFailure) { return try StoredGeneration.decode(bytes, from: path) } catch {
      damage.append(error)
      return nil
    }
  }
}
