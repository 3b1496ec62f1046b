internal import Agent
internal import Core
internal import RuleSets

/// One generation of the rule set as a file has it: its text as it came, its ETag, and the slots, under one checksum,
/// so that they cannot be of different times.
enum StoredGeneration {
  /// A rule set is at most 16 MiB by default; JSON escapes can double it, and a configuration may allow more.
  static let maximumBytes = 256 << 20

  static func write(_ stored: StoredRuleSet, to path: String) throws(StoreFailure) {
    guard let text = String(validating: stored.bytes, as: UTF8.self) else {
      throw StoreFailure(operation: "write \(path)", cause: "the rule set is not UTF-8")
    }
    var slots: [String: Int] = [:]
    for (owner, slot) in stored.slots.slots { slots[owner.storedName] = slot.number }
    try StoredDocument.write(Contents(etag: stored.etag, slots: slots, ruleSet: text), to: path)
  }

  /// Nil if there is no such file.
  static func read(_ path: String) throws(StoreFailure) -> StoredRuleSet? {
    let contents: Contents? = try StoredDocument.read(path, atMost: maximumBytes)
    return try contents.map { (contents) throws(StoreFailure) in try stored(contents, path) }
  }

  /// - Parameter path: where the bytes were read, for the error.
  static func decode(_ bytes: [UInt8], from path: String) throws(StoreFailure) -> StoredRuleSet {
    try stored(try StoredDocument.decode(bytes, from: path), path)
  }

  private static func stored(_ contents: Contents, _ path: String) throws(StoreFailure) -> StoredRuleSet {
    StoredRuleSet(bytes: Array(contents.ruleSet.utf8), etag: contents.etag, slots: try book(contents.slots, path))
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
  /// `tunnel fra-a`, `uplink wan0`, `egress office` and their slots.
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
