import Agent
import Core
import FoundationEssentials
import Glibc
internal import RuleSets
import Testing

@testable import System

/// What the agent saves besides the rule set, damaged in every way: each damage is reported, and nothing waits.
@Suite struct StateMemoryTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  static let kinds = ["cut", "altered", "directory", "pipe", "circle of links", "endless", "huge"]

  private func damage(_ name: String, _ kind: String) throws {
    let path = folder.file(name)
    let whole = (try? folder.bytes(of: name)) ?? []
    if kind != "cut" && kind != "altered" { unlink(path) }
    switch kind {
    case "cut": try folder.write(Array(whole.dropLast(3)), to: name)
    case "altered":
      var bytes = whole
      let digit = try #require(bytes.lastIndex { (0x30...0x38).contains($0) })
      bytes[digit] += 1
      try folder.write(bytes, to: name)
    case "directory": try FileManager.default.createDirectory(atPath: "\(path)/d", withIntermediateDirectories: true)
    case "pipe": #expect(mkfifo(path, 0o600) == 0)
    case "circle of links": #expect(symlink(path, path) == 0)
    case "endless": #expect(symlink("/dev/zero", path) == 0)
    default:
      try folder.write("", to: name)
      #expect(truncate(path, 64 << 30) == 0)
    }
  }

  // MARK: - Sysctls

  private let forwarding = InterfaceName("eth0").map { InterfaceSetting($0, .forwarding) }
  private func memory(mends: Bool = true) -> SettingMemory { SettingMemory(stateDirectory: folder.path, mends: mends) }

  @Test func `the sysctls' earlier values outlast the agent`() throws {
    let setting = try #require(forwarding)
    memory().remember([setting: 0])
    #expect(memory().load() == RememberedSettings(values: [setting: 0]))
    memory().remember([setting: 1])
    #expect(memory().load().values == [setting: 0], "the first value counts")
    memory().forget([setting])
    #expect(memory().load() == RememberedSettings())
  }

  @Test(arguments: kinds) func `damaged earlier values of sysctls are set aside`(_ kind: String) throws {
    let setting = try #require(forwarding)
    memory().remember([setting: 0])
    try damage("sysctls.json", kind)
    let looking = memory(mends: false).load()
    #expect(looking.damage != nil && looking.values.isEmpty)
    #expect(try !folder.names.contains("sysctls.json.damaged"), "who only looks changes nothing")
    let agent = memory()
    #expect(agent.load().damage?.contains("is set aside as") == true)
    #expect(try folder.names.contains("sysctls.json.damaged"))
    agent.remember([setting: 1])
    #expect(agent.load().trouble == nil)
    #expect(memory().load() == RememberedSettings(values: [setting: 1]))
  }

  @Test func `a file from before there were checksums is read`() throws {
    try folder.write(
      #"{"schema":1,"settings":[{"interface":"eth0","key":"net/ipv4/conf/IF/forwarding","value":0}]}"#,
      to: "sysctls.json")
    #expect(memory().load() == RememberedSettings(values: [try #require(forwarding): 0]))
  }

  @Test func `a directory that cannot be written to is reported, and tried again`() throws {
    let setting = try #require(forwarding)
    try folder.write("", to: "state")
    let memory = SettingMemory(stateDirectory: folder.file("state"), mends: true)
    memory.remember([setting: 0])
    #expect(memory.load().trouble != nil)
    #expect(memory.load().values == [setting: 0], "this life knows it")
    unlink(folder.file("state"))
    #expect(memory.load().trouble == nil)
    #expect(SettingMemory(stateDirectory: folder.file("state"), mends: true).load().values == [setting: 0])
  }

  // MARK: - An operator's word on revisions

  @Test func `a permit outlasts the agent until it is used`() throws {
    let store = FilePermitStore(directory: folder.path)
    #expect(try store.load() == nil)
    let permit = RevisionPermit(revision: (1 << 53) - 1, user: 0, since: WallTime(milliseconds: 1_700_000_000_000))
    try store.save(permit)
    #expect(try store.load() == permit)
    try store.save(nil)
    try store.save(nil)
    #expect(try store.load() == nil)
    #expect(try folder.names.isEmpty)
  }

  @Test(arguments: kinds) func `a damaged permit does not count`(_ kind: String) throws {
    let store = FilePermitStore(directory: folder.path)
    let permit = RevisionPermit(revision: 7, user: 0, since: WallTime(milliseconds: 0))
    try store.save(permit)
    try damage("accept-revision.json", kind)
    #expect(throws: StoreFailure.self) { try store.load() }
    #expect(store.setAside().contains("is set aside as"))
    try store.save(permit)
    #expect(try store.load() == permit)
  }

  // MARK: - The configuration

  private let text = """
    device = "a"
    lans = ["lan0"]
    uplinks = [{ interface = "wan0" }]
    [rule_set]
    source = "https://192.0.2.1/"
    """

  @Test func `the configuration is kept for the guard`() throws {
    let copy = ConfigurationCopy(directory: folder.path)
    #expect(try copy.load() == nil)
    try copy.save(Array(text.utf8))
    #expect(try copy.load() == ConfigurationFile.decode(Array(text.utf8)))
    var before = stat()
    #expect(stat(copy.path, &before) == 0)
    try copy.save(Array(text.utf8))
    var after = stat()
    #expect(stat(copy.path, &after) == 0)
    #expect(before.st_ino == after.st_ino, "written once")
  }

  @Test(arguments: kinds) func `a damaged copy of the configuration does not count, and is written again`(
    _ kind: String
  ) throws {
    let copy = ConfigurationCopy(directory: folder.path)
    try copy.save(Array(text.utf8))
    try damage("configuration.json", kind)
    #expect(throws: StoreFailure.self) { try copy.load() }
    if kind == "directory" {
      #expect(throws: StoreFailure.self) { try copy.save(Array(text.utf8)) }
    } else {
      try copy.save(Array(text.utf8))
      #expect(try copy.load() != nil)
    }
  }

  // MARK: - Setting aside

  @Test func `a file that was set aside earlier gives way`() throws {
    for _ in 0..<2 {
      try folder.write("x", to: "a")
      #expect(SetAside.move(folder.file("a")) == "\(folder.file("a")) is set aside as \(folder.file("a")).damaged")
    }
    try FileManager.default.createDirectory(atPath: folder.file("a"), withIntermediateDirectories: true)
    #expect(SetAside.move(folder.file("a")).contains("is set aside as"))
    #expect(SetAside.move(folder.file("none")).contains("is left where it is"))
  }
}

/// Only one agent at a time may own the kernel's ranges in a network namespace.
@Suite struct KernelLockTests {
  private func ranges(_ number: UInt8) -> KernelRanges {
    KernelRanges(
      tables: 20_000 + UInt32(number) * 100...20_099 + UInt32(number) * 100,
      priorities: 20_000 + UInt32(number) * 100...20_099 + UInt32(number) * 100, routeProtocol: RouteProtocol(number),
      nftTable: "lock\(number)", interfacePrefix: "lk\(number)-")
  }

  private func take(_ ranges: KernelRanges, state: String? = nil) throws(KernelLock.Failure) -> KernelLock {
    try KernelLock.take(ranges, stateDirectory: state ?? "/nonexistent/\(ranges.nftTable)")
  }

  @Test func `a second agent is told who holds the lock, which is free when the first is gone`() throws {
    let ranges = ranges(90)
    var first: KernelLock? = try take(ranges)
    #expect(first?.ignored == [])
    for _ in 0..<3 {
      let failure = #expect(throws: KernelLock.Failure.self) { try take(ranges) }
      #expect(failure == .held(what: "nftables table lock90", process: getpid()))
    }
    first?.answerAskers()
    first = nil
    _ = try take(ranges)
  }

  @Test func `sharing any one thing that marks objects as ours is a conflict`() throws {
    let first = try take(ranges(91))
    defer { withExtendedLifetime(first) {} }
    var other = ranges(92)
    other.routeProtocol = RouteProtocol(91)
    let failure = #expect(throws: KernelLock.Failure.self) { try take(other) }
    #expect(failure == .held(what: "routes and ip rules of protocol 91", process: getpid()))
    _ = try take(ranges(92))
  }

  @Test func `two agents cannot share a state directory`() throws {
    let first = try take(ranges(95), state: "/nonexistent/shared")
    defer { withExtendedLifetime(first) {} }
    let failure = #expect(throws: KernelLock.Failure.self) { try take(ranges(96), state: "/nonexistent/shared") }
    #expect(failure == .held(what: "state directory /nonexistent/shared", process: getpid()))
    _ = try take(ranges(96))
    // If a path is too long for a name, its end counts.
    _ = try take(ranges(97), state: "/" + String(repeating: "ä", count: 200))
  }

  @Test func `an agent that waits gets the lock`() async throws {
    let ranges = ranges(93)
    let holder = try TestProcess([
      "python3", "-c",
      """
      import socket, sys
      s = socket.socket(socket.AF_UNIX); s.bind("\\0backhaul/table/lock93"); s.listen(9)
      print("listening", flush=True); sys.stdin.read()
      """,
    ])
    #expect(holder.line() == "listening")
    #expect(throws: KernelLock.Failure.self) { try take(ranges) }
    let waiting = Task {
      try await blocking { try KernelLock.take(ranges, stateDirectory: "/", patience: .seconds(30)) }
    }
    // However the agent ends, the name goes with it.
    holder.finish()
    _ = try await waiting.value
  }

  /// Anybody may bind such a name: nobody must be able to keep the agent from starting.
  @Test func `a lock name that an ordinary user has taken is ignored`() throws {
    guard geteuid() == 0 else { return }
    let ranges = ranges(94)
    let holder = try TestProcess([
      "python3", "-c",
      """
      import os, socket, sys
      os.setuid(65534)
      s = socket.socket(socket.AF_UNIX); s.bind("\\0backhaul/table/lock94"); s.listen(9)
      print("listening", flush=True); sys.stdin.read()
      """,
    ])
    defer { holder.finish() }
    #expect(holder.line() == "listening")
    #expect(try take(ranges).ignored.count == 1)
  }
}
