import Agent
import Core
import Fakes
import FoundationEssentials
internal import RuleSets
import System
import Testing

private struct FolderGround: ForceGround {
  let folder: Folder
  func restarted() -> any ForceStore { FileForceStore(directory: folder.path) }
  func damage() throws {
    let bytes = try folder.bytes(of: "forces.json")
    try folder.write(Array(bytes.dropLast(Int.random(in: 1...40))), to: "forces.json")
  }
  func crashWhileSaving() throws { try folder.write("{\"format\":1,\"che", to: "forces.json.new") }
  func isThere(_ place: String) -> Bool { FileManager.default.fileExists(atPath: place) }
}

@Suite struct FileForceStoreTests {
  let folder: Folder
  let store: FileForceStore

  init() throws {
    folder = try Folder()
    store = FileForceStore(directory: folder.path)
  }

  @Test("keeps the contract", arguments: ForceContract.allCases)
  func contract(_ promise: ForceContract) throws { try promise.check(on: FolderGround(folder: folder)) }

  private func saveOne() throws -> [Name: ForcedPaths.Entry] {
    let time = WallTime(milliseconds: 1_785_585_600_123)
    let forces = [
      try #require(Name("fra-a")): ForcedPaths.Entry(.down, since: time, until: time, user: 0, reason: "maintenance")
    ]
    try store.save(forces)
    return forces
  }

  @Test func `only its owner can read the file, and no temporary file is left`() throws {
    _ = try saveOne()
    let mode = try FileManager.default.attributesOfItem(atPath: store.path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try folder.names == ["forces.json"])
  }

  @Test func `a file with any byte altered is refused, or means the same`() throws {
    let original = try saveOne()
    let whole = try folder.bytes(of: "forces.json")
    for index in whole.indices {
      for bit in 0..<8 {
        var altered = whole
        altered[index] ^= 1 << UInt8(bit)
        try folder.write(altered, to: "forces.json")
        if let loaded = try? store.load() { #expect(loaded == original, "bit \(bit) of byte \(index)") }
      }
    }
  }

  @Test func `a file of another format or too large, a directory and an unwritable place are reported as such`() throws
  {
    _ = try saveOne()
    let text = String(decoding: try folder.bytes(of: "forces.json"), as: UTF8.self)
    try folder.write(text.replacing("\"format\":1", with: "\"format\":9"), to: "forces.json")
    #expect(throws: StoreFailure(operation: "read \(store.path)", cause: "format 9, but this version reads 1")) {
      try store.load()
    }
    try folder.write([UInt8](repeating: 0x20, count: 5 << 20), to: "forces.json")
    #expect(throws: StoreFailure.self) { try store.load() }
    let nowhere = FileForceStore(directory: folder.file("none"))
    #expect(throws: StoreFailure.self) { try nowhere.save([:]) }
    try FileManager.default.createDirectory(atPath: folder.file("d/forces.json"), withIntermediateDirectories: true)
    let directory = FileForceStore(directory: folder.file("d"))
    #expect(throws: StoreFailure(operation: "read \(directory.path)", cause: "not a file")) { try directory.load() }
  }
}
