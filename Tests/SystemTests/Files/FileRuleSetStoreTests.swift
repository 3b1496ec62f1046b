import Agent
import Core
import FoundationEssentials
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
      .rule(try #require(Name("office"))): try #require(Slot(17)),
    ]
    return StoredRuleSet(bytes: Array(text.utf8), etag: etag, slots: SlotBook(slots))
  }

  private func overwrite(_ bytes: [UInt8]) throws { try folder.write(bytes, to: "rule-set.json") }

  @Test func `nothing was stored: nothing, and no failure`() throws {
    #expect(try store.load() == nil)
  }

  @Test func `what was stored comes back byte for byte, readable by its owner alone`() throws {
    let first = try stored("{\"schema\": 1, \"device\":\"b\\u00fcro\\n\"}\n\t\"ü/\\\\\"")
    try store.save(first)
    #expect(try store.load() == first)
    let second = try stored("{}", etag: nil)
    try store.save(second)
    #expect(try store.load() == second)
    #expect(try folder.names == ["rule-set.json"])
    let mode = try FileManager.default.attributesOfItem(atPath: store.path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test func `a file that is cut at any byte is refused with a clear cause`() throws {
    try store.save(try stored("{\"schema\":1,\"device\":\"branch-017\"}"))
    let whole = try folder.bytes(of: "rule-set.json")
    for length in 0..<whole.count {
      try overwrite(Array(whole[..<length]))
      let failure = #expect(throws: StoreFailure.self) { try store.load() }
      #expect(failure?.cause == "cut off or not written by this agent", "cut at \(length)")
    }
  }

  @Test func `a file with any byte altered is refused, or says the same`() throws {
    let original = try stored("{\"schema\":1,\"device\":\"branch-017\"}")
    try store.save(original)
    let whole = try folder.bytes(of: "rule-set.json")
    for index in whole.indices {
      for bit in 0..<8 {
        var altered = whole
        altered[index] ^= 1 << UInt8(bit)
        try overwrite(altered)
        // A blank between two tokens may turn into another.
        if let loaded = try? store.load() { #expect(loaded == original, "bit \(bit) of byte \(index)") }
      }
    }
  }

  @Test func `a crash while the new file was written leaves the old one`() throws {
    let old = try stored("{\"revision\":1}")
    try store.save(old)
    try folder.write("{\"format\":1,\"che", to: "rule-set.json.new")
    #expect(try store.load() == old)
    let new = try stored("{\"revision\":2}")
    try store.save(new)
    #expect(try store.load() == new)
    #expect(try folder.names == ["rule-set.json"])
  }

  @Test func `a file of another format, a directory and an unwritable place say so`() throws {
    try store.save(try stored("{}"))
    let text = String(decoding: try folder.bytes(of: "rule-set.json"), as: UTF8.self)
    try overwrite(Array(text.replacing("\"format\":1", with: "\"format\":9").utf8))
    #expect(throws: StoreFailure(operation: "read \(store.path)", cause: "format 9, but this version reads 1")) {
      try store.load()
    }
    let nowhere = FileRuleSetStore(directory: folder.file("none"))
    #expect(throws: StoreFailure(operation: "create \(nowhere.path).new", cause: "No such file or directory")) {
      try nowhere.save(try stored("{}"))
    }
    try FileManager.default.createDirectory(atPath: folder.file("d/rule-set.json"), withIntermediateDirectories: true)
    let directory = FileRuleSetStore(directory: folder.file("d"))
    #expect(throws: StoreFailure(operation: "read \(directory.path)", cause: "not a file")) { try directory.load() }
  }

  @Test func `directories are made with their parents, and one that is there is left as it is`() throws {
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
