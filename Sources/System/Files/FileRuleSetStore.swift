package import Agent
internal import Core
internal import FoundationEssentials
internal import Glibc

/// The accepted rule set in one JSON file of mode 0600: its text as it came, its ETag, and who has which slot, under one
/// checksum, so that no two of them can be of different times.
package struct FileRuleSetStore: RuleSetStore {
  /// A rule set is at most 16 MiB by default; JSON escapes can double it, and a configuration may allow more.
  private static let maximumBytes = 256 << 20

  package let path: String

  /// `rule-set.json` in this directory, which must be there.
  package init(directory: String) { path = directory + "/rule-set.json" }

  package func load() throws(StoreFailure) -> StoredRuleSet? {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: Self.maximumBytes)
    } catch {
      if error.errno == ENOENT { return nil }
      throw StoreFailure(operation: error.operation, cause: error.cause)
    }
    let contents: Contents
    do {
      contents = try JSONDecoder().decode(Contents.self, from: Data(bytes))
    } catch {
      throw refusal("cut off or not written by this agent")
    }
    guard contents.format == Contents.currentFormat else {
      throw refusal("format \(contents.format), but this version reads \(Contents.currentFormat)")
    }
    guard contents.checksum == contents.computedChecksum else { throw refusal("its checksum is wrong") }
    return StoredRuleSet(bytes: Array(contents.ruleSet.utf8), etag: contents.etag, slots: try book(contents.slots))
  }

  package func save(_ stored: StoredRuleSet) throws(StoreFailure) {
    guard let text = String(validating: stored.bytes, as: UTF8.self) else {
      throw StoreFailure(operation: "write \(path)", cause: "the rule set is not UTF-8")
    }
    var slots: [String: Int] = [:]
    for (owner, slot) in stored.slots.slots { slots[owner.storedName] = slot.number }
    var contents = Contents(etag: stored.etag, slots: slots, ruleSet: text)
    contents.checksum = contents.computedChecksum
    try StoredDocument.write(contents, to: path)
  }

  private func book(_ slots: [String: Int]) throws(StoreFailure) -> SlotBook {
    var result: [SlotBook.Owner: Slot] = [:]
    for (name, number) in slots {
      guard let owner = SlotBook.Owner(storedName: name), let slot = Slot(number) else {
        throw refusal("unusable slot \(number) of \(name)")
      }
      result[owner] = slot
    }
    return SlotBook(result)
  }

  private func refusal(_ cause: String) -> StoreFailure { StoreFailure(operation: "read \(path)", cause: cause) }
}

private struct Contents: Codable {
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
    case .rule(let name): "rule \(name)"
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
    case "rule":
      guard let name = Name(parts[1]) else { return nil }
      self = .rule(name)
    default: return nil
    }
  }
}
