import Agent
import Core
import Fakes
import FoundationEssentials
import Glibc
internal import RuleSets
import System
import Testing

private struct EtcGround: TimeZoneGround {
  let folder: Folder

  var port: any TimeZonePort { LinuxTimeZone(localtime: name(of: .localtime), posix: name(of: .posix)) }
  func name(of file: TimeZoneFile) -> String { folder.file(file == .localtime ? "localtime" : "TZ") }

  func put(_ entry: TimeZoneEntry?, at file: TimeZoneFile) throws {
    let path = name(of: file)
    try? FileManager.default.removeItem(atPath: path)
    let target = file == .localtime ? "zone" : "text"
    switch entry {
    case nil: break
    case .bytes(let bytes): try folder.write(bytes, to: file == .localtime ? "localtime" : "TZ")
    case .linkTo(let bytes):
      try folder.write(bytes, to: target)
      // As /etc/localtime and /etc/TZ are: one by its whole path, one beside it.
      try link(path, to: file == .localtime ? folder.file(target) : target)
    case .linkToNothing: try link(path, to: folder.file("none/none"))
    case .linkToItself: try link(path, to: path)
    case .directory: try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    case .pipe: try #require(mkfifo(path, 0o600) == 0)
    }
  }

  private func link(_ path: String, to target: String) throws { try #require(symlink(target, path) == 0) }
}

@Suite struct LinuxTimeZoneTests {
  @Test("keeps the contract", arguments: TimeZoneContract.allCases)
  func contract(_ promise: TimeZoneContract) throws { try promise.check(on: EtcGround(folder: try Folder())) }

  @Test func `a failure says what was asked, of which file, and what came back`() throws {
    let ground = EtcGround(folder: try Folder())
    try ground.put(.bytes(Array("Europe/Berlin\n".utf8)), at: .posix)
    #expect(
      throws: StoreFailure(
        operation: "read \(ground.name(of: .posix))", cause: "it is no time zone: \"Europe/Berlin\"")
    ) { try ground.port.timeZone() }
    try ground.put(.bytes(Array("TZif".utf8)), at: .localtime)
    #expect(
      throws: StoreFailure(
        operation: "read \(ground.name(of: .localtime))", cause: "it is no time zone: it is cut off")
    ) { try ground.port.timeZone() }
  }

  /// TZ of the environment is a user's, and a service has none.
  @Test func `this machine's own files can be read`() throws {
    #expect(throws: Never.self) { try LinuxTimeZone().timeZone() }
  }
}
