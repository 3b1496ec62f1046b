import Agent
import Core
import FoundationEssentials
import Glibc
internal import RuleSets
import System
import Testing

@Suite struct FileRuleSetStoreTests {
  let folder: Folder
  let store: FileRuleSetStore

  init() throws {
    folder = try Folder()
    store = FileRuleSetStore(directory: folder.path)
  }

  private func stored(_ text: String, etag: String? = "\"v1\"") throws -> StoredRuleSet {
    let slots: [SlotBook.Owner: Slot] = [
      .tunnel(try #require(Name("fra-a"))): try #require(Slot(2)),
      .uplink(try #require(InterfaceName("wan0.100"))): try #require(Slot(3)),
      .egress(try #require(Name("office"))): try #require(Slot(17)),
    ]
    return StoredRuleSet(bytes: Array(text.utf8), etag: etag, slots: SlotBook(slots))
  }

  private func overwrite(_ bytes: [UInt8], _ name: String = "rule-set.json") throws {
    try folder.write(bytes, to: name)
  }
  private func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: folder.file(name)) }

  @Test func `if nothing was stored there is nothing, and no doubt`() throws {
    #expect(store.load() == KeptRuleSet())
    #expect(!store.load().isLost)
    #expect(FileRuleSetStore(directory: folder.file("none")).load() == KeptRuleSet())
  }

  @Test func `what was stored comes back byte for byte, twice, readable by its owner alone`() throws {
    let first = try stored("{\"schema\": 1, \"device\":\"b\\u00fcro\\n\"}\n\t\"ü/\\\"")
    try store.save(first)
    #expect(store.load() == KeptRuleSet(stored: first, wasAccepted: true))
    let second = try stored("{}", etag: nil)
    try store.save(second)
    #expect(store.load().stored == second)
    #expect(try folder.names == ["rule-set.accepted", "rule-set.copy.json", "rule-set.json"])
    #expect(try folder.bytes(of: "rule-set.json") == folder.bytes(of: "rule-set.copy.json"))
    for name in try folder.names {
      let mode = try FileManager.default.attributesOfItem(atPath: folder.file(name))[.posixPermissions] as? Int
      #expect(mode == 0o600, "\(name)")
    }
  }

  @Test func `a file that is cut at any byte is reported, and the other copy counts`() throws {
    let original = try stored("{\"schema\":1,\"device\":\"branch-017\"}")
    try store.save(original)
    let whole = try folder.bytes(of: "rule-set.json")
    for name in ["rule-set.json", "rule-set.copy.json"] {
      for length in 0..<whole.count {
        try overwrite(Array(whole[..<length]), name)
        let kept = store.load()
        #expect(kept.stored == original && !kept.isWhole, "cut at \(length)")
        #expect(kept.damage.map(\.cause) == ["cut off or not written by this agent"], "cut at \(length)")
      }
      try overwrite(whole, name)
    }
  }

  @Test func `with both copies cut, the rule set is known to be lost`() throws {
    try store.save(try stored("{}"))
    let whole = try folder.bytes(of: "rule-set.json")
    for length in [0, 1, whole.count / 2, whole.count - 1] {
      try overwrite(Array(whole[..<length]))
      try overwrite(Array(whole[..<length]), "rule-set.copy.json")
      #expect(store.load().isLost, "cut at \(length)")
    }
  }

  @Test func `missing copies are noticed`() throws {
    try store.save(try stored("{}"))
    try remove("rule-set.json")
    #expect(store.load().stored != nil && !store.load().isWhole)
    try remove("rule-set.copy.json")
    #expect(store.load().isLost)
    try remove("rule-set.accepted")
    #expect(!store.load().isLost, "as on a router that never had one")
  }

  @Test func `a file with any byte altered is reported, or means the same`() throws {
    let original = try stored("{\"schema\":1,\"device\":\"branch-017\"}")
    try store.save(original)
    try remove("rule-set.copy.json")
    let whole = try folder.bytes(of: "rule-set.json")
    for index in whole.indices {
      for bit in 0..<8 {
        var altered = whole
        altered[index] ^= 1 << UInt8(bit)
        try overwrite(altered)
        let kept = store.load()
        // One kind of white space between two tokens may turn into another.
        if let loaded = kept.stored { #expect(loaded == original, "bit \(bit) of byte \(index)") }
        #expect(kept.wasAccepted)
      }
    }
  }

  @Test func `what is damaged is set aside and stays known until there is a rule set again`() throws {
    let original = try stored("{}")
    try store.save(original)
    try overwrite([0], "rule-set.json")
    #expect(store.setAsideDamaged().count == 1)
    #expect(try folder.names.contains("rule-set.json.damaged"))
    #expect(store.load().stored == original && store.load().damage.isEmpty)
    try overwrite([0], "rule-set.copy.json")
    #expect(store.setAsideDamaged().count == 1)
    #expect(store.load().isLost)
    try store.save(original)
    #expect(store.load() == KeptRuleSet(stored: original, wasAccepted: true))
  }

  /// An earlier version had neither copy nor marker.
  @Test func `what an older version left is read, and reported if it is damaged`() throws {
    let original = try stored("{}")
    try store.save(original)
    try remove("rule-set.copy.json")
    try remove("rule-set.accepted")
    #expect(store.load() == KeptRuleSet(stored: original, wasAccepted: true, isWhole: false))
    try overwrite([])
    #expect(store.load().isLost)
    #expect(store.setAsideDamaged().count == 1)
    #expect(store.load().isLost)
  }

  @Test func `a crash while the new file was written leaves the old one`() throws {
    let old = try stored("{\"revision\":1}")
    try store.save(old)
    try folder.write("{\"format\":1,\"che", to: "rule-set.json.new")
    #expect(store.load().stored == old)
    let new = try stored("{\"revision\":2}")
    try store.save(new)
    #expect(store.load().stored == new)
    #expect(try folder.names == ["rule-set.accepted", "rule-set.copy.json", "rule-set.json"])
  }

  /// Between the two writes the first file is the newer one, and counts.
  @Test func `a crash between the two copies leaves the newer one in use`() throws {
    try store.save(try stored("{\"revision\":1}"))
    let copy = try folder.bytes(of: "rule-set.copy.json")
    let new = try stored("{\"revision\":2}")
    try store.save(new)
    try overwrite(copy, "rule-set.copy.json")
    #expect(store.load() == KeptRuleSet(stored: new, wasAccepted: true, isWhole: false))
  }

  @Test func `a file of another format and an unwritable place are reported as such`() throws {
    try store.save(try stored("{}"))
    try remove("rule-set.copy.json")
    let text = String(decoding: try folder.bytes(of: "rule-set.json"), as: UTF8.self)
    try overwrite(Array(text.replacing("\"format\":1", with: "\"format\":9").utf8))
    #expect(
      store.load().damage == [
        StoreFailure(operation: "read \(store.path)", cause: "format 9, but this version reads 1")
      ])
    let nowhere = FileRuleSetStore(directory: folder.file("none"))
    #expect(throws: StoreFailure(operation: "create \(nowhere.path).new", cause: "No such file or directory")) {
      try nowhere.save(try stored("{}"))
    }
  }

  /// Whatever is in a file's place, nothing waits for it, and it does not keep the agent from working.
  @Test(arguments: ["directory", "full directory", "pipe", "circle of links", "dangling link", "unreadable as a file"])
  func `whatever is in their place is reported, set aside and replaced`(_ kind: String) throws {
    for name in ["rule-set.json", "rule-set.copy.json"] {
      let path = folder.file(name)
      switch kind {
      case "directory": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      case "full directory":
        try FileManager.default.createDirectory(atPath: "\(path)/inner", withIntermediateDirectories: true)
      case "pipe": #expect(mkfifo(path, 0o600) == 0)
      case "circle of links": #expect(symlink(path, path) == 0)
      case "dangling link": #expect(symlink("/nonexistent/x", path) == 0)
      default: #expect(symlink("/dev/zero", path) == 0)
      }
    }
    let kept = store.load()
    #expect(kept.stored == nil)
    if kind != "dangling link" { #expect(kept.isLost && kept.damage.count == 2) }
    _ = store.setAsideDamaged()
    let original = try stored("{}")
    try store.save(original)
    #expect(store.load() == KeptRuleSet(stored: original, wasAccepted: true))
  }

  @Test func `a state directory that is a file leaves doubt, a missing one does not`() throws {
    try folder.write("x", to: "file")
    #expect(FileRuleSetStore(directory: folder.file("file")).load().isLost)
    #expect(!FileRuleSetStore(directory: folder.file("missing")).load().isLost)
  }

  @Test func `a file with a hard link elsewhere is replaced, not written through`() throws {
    try store.save(try stored("{}"))
    #expect(link(folder.file("rule-set.json"), folder.file("other")) == 0)
    let before = try folder.bytes(of: "other")
    try store.save(try stored("{\"revision\":2}"))
    #expect(try folder.bytes(of: "other") == before)
  }

  @Test func `whatever is in the place of the new file gives way`() throws {
    try FileManager.default.createDirectory(
      atPath: folder.file("rule-set.json.new/inner"), withIntermediateDirectories: true)
    let original = try stored("{}")
    try store.save(original)
    #expect(store.load().stored == original)
  }

  @Test func `directories are made with their parents, and existing ones are left as they are`() throws {
    let path = folder.file("a/b/c")
    try Directory.make(path, mode: 0o700)
    try Directory.make(path, mode: 0o700)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o700)
    try folder.write("x", to: "file")
    #expect(throws: SystemCallFailure.self) { try Directory.make(folder.file("file"), mode: 0o700) }
    #expect(throws: SystemCallFailure.self) { try Directory.make(folder.file("file/sub"), mode: 0o700) }
  }
}
