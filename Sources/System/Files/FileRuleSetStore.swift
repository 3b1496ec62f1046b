package import Agent
internal import Core
internal import Glibc
internal import RuleSets

/// The accepted rule set in two JSON files of mode 0600: its text as it came, its ETag, and who has which slot, under one
/// checksum, so that no two of them can be of different times.
///
///     rule-set.json        the rule set
///     rule-set.copy.json   the same, written after it: where both can be read, the first is never the older one
///     rule-set.accepted    empty: there has been one. Its being there is all that it says, so nothing in it can be damaged
///     *.damaged            what could not be read, set aside
package struct FileRuleSetStore: RuleSetStore {
  /// A rule set is at most 16 MiB by default; JSON escapes can double it, and a configuration may allow more.
  private static let maximumBytes = 256 << 20

  package let path: String
  private let copyPath: String
  private let markerPath: String

  /// The files are in this directory, which must be there before anything is saved.
  package init(directory: String) {
    path = directory + "/rule-set.json"
    copyPath = directory + "/rule-set.copy.json"
    markerPath = directory + "/rule-set.accepted"
  }

  package func load() -> KeptRuleSet {
    var damage: [StoreFailure] = []
    let first = bytes(of: path, &damage)
    let second = bytes(of: copyPath, &damage)
    var stored = decoded(first, path, &damage)
    let areAlike = first == second
    // Read only where it says something else: it is as large as the first.
    if !areAlike, let copy = decoded(second, copyPath, &damage) { stored = stored ?? copy }
    return KeptRuleSet(
      stored: stored, wasAccepted: stored != nil || !damage.isEmpty || hasTraces,
      isWhole: areAlike && damage.isEmpty, damage: damage)
  }

  package func save(_ stored: StoredRuleSet) throws(StoreFailure) {
    guard let text = String(validating: stored.bytes, as: UTF8.self) else {
      throw StoreFailure(operation: "write \(path)", cause: "the rule set is not UTF-8")
    }
    var slots: [String: Int] = [:]
    for (owner, slot) in stored.slots.slots { slots[owner.storedName] = slot.number }
    let contents = Contents(etag: stored.etag, slots: slots, ruleSet: text)
    do throws(StoreFailure) {
      try StoredDocument.write(contents, to: path)
    } catch {
      // An older rule set that can be read counts before the copy, which must not be the newer of the two.
      var damage: [StoreFailure] = []
      guard decoded(bytes(of: path, &damage), path, &damage) == nil else { throw error }
      try? StoredDocument.write(contents, to: copyPath)
      try? mark()
      throw error
    }
    try StoredDocument.write(contents, to: copyPath)
    try mark()
  }

  package func setAsideDamaged() -> [String] {
    var told: [String] = []
    for path in [path, copyPath] {
      var damage: [StoreFailure] = []
      guard decoded(bytes(of: path, &damage), path, &damage) == nil, !damage.isEmpty else { continue }
      // Before the file goes: until there is a rule set, its having been there is what keeps traffic held.
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

  /// Nil where there is no such file, and with what was in the way where it cannot be read.
  private func bytes(of path: String, _ damage: inout [StoreFailure]) -> [UInt8]? {
    do throws(SystemCallFailure) {
      return try BoundedFile.read(path, atMost: Self.maximumBytes)
    } catch {
      if error.errno != ENOENT { damage.append(StoreFailure(error)) }
      return nil
    }
  }

  private func decoded(_ bytes: [UInt8]?, _ path: String, _ damage: inout [StoreFailure]) -> StoredRuleSet? {
    guard let bytes else { return nil }
    do throws(StoreFailure) { return try Self.decode(bytes, path) } catch {
      damage.append(error)
      return nil
    }
  }

  private static func decode(_ bytes: [UInt8], _ path: String) throws(StoreFailure) -> StoredRuleSet {
    let contents: Contents = try StoredDocument.decode(bytes, from: path)
    return StoredRuleSet(
      bytes: Array(contents.ruleSet.utf8), etag: contents.etag, slots: try book(contents.slots, path))
  }

  private static func book(_ slots: [String: Int], _ path: String) throws(StoreFailure) -> SlotBook {
    var result: [SlotBook.Owner: Slot] = [:]
    for (name, number) in slots {
      guard let owner = SlotBook.Owner(storedName: name), let slot = Slot(number) else {
        throw StoredDocument.refusal(of: path, "unusable slot \(number) of \(name)")
      }
      result[owner] = slot
    }
    return SlotBook(result)
  }
}

private struct Contents: StoredContents {
  static let currentFormat = 1

  var format = currentFormat
  var checksum = ""
  var etag: String?
  /// `tunnel fra-a`, `uplink wan0`, `rule office` and their slots.
  var slots: [String: Int]
  var ruleSet: String

  enum CodingKeys: String, CodingKey {
    case format, checksum, etag, slots
    case ruleSet = "rule_set"
  }

  init(etag: String?, slots: [String: Int], ruleSet: String) {
    self.etag = etag
    self.slots = slots
    self.ruleSet = ruleSet
  }

  var computedChecksum: String {
    var sum = Checksum()
    sum.add(part: "\(format)".utf8)
    // An absent tag and an empty one are not the same.
    sum.add(part: (etag.map { "=" + $0 } ?? "").utf8)
    for (name, slot) in slots.sorted(by: { $0.key < $1.key }) { sum.add(part: "\(name) \(slot)".utf8) }
    sum.add(part: ruleSet.utf8)
    return sum.text
  }
}

extension SlotBook.Owner {
  fileprivate var storedName: String {
    switch self {
    case .tunnel(let name): "tunnel \(name)"
    case .uplink(let interface): "uplink \(interface)"
    case .egress(let name): "egress \(name)"
    }
  }

  fileprivate init?(storedName: String) {
    let parts = storedName.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    switch parts[0] {
    case "tunnel":
      guard let name = Name(parts[1]) else { return nil }
      self = .tunnel(name)
    case "uplink":
      guard let interface = InterfaceName(parts[1]) else { return nil }
      self = .uplink(interface)
    // Before egresses had names of their own each was its rule's.
    case "egress", "rule":
      guard let name = Name(parts[1]) else { return nil }
      self = .egress(name)
    default: return nil
    }
  }
}
