import Agent
import Core
import Fakes
import Glibc
import Testing

@testable import System

/// One after another: they share one user and its limit of processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LinuxHooksTests {
  private let folder: Folder
  init() throws {
    folder = try Folder()
    // mkdtemp's 0700 would keep the user of the hooks out.
    chmod(folder.path, 0o755)
  }

  private func hooks() throws -> LinuxHooks {
    try LinuxHooks(HooksConfiguration(directory: folder.path), trusting: geteuid())
  }

  private func run(_ script: String, limit: Duration = .seconds(60), _ environment: [String] = []) async throws
    -> HookOutcome
  {
    try folder.write("#!/bin/sh\n" + script + "\n", to: "hook", mode: 0o755)
    return try await run(limit: limit, environment)
  }

  private func run(limit: Duration, _ environment: [String] = []) async throws -> HookOutcome {
    let hooks = try hooks()
    while true {
      let outcome = await hooks.run("hook", environment: environment, limit: limit)
      // A child of another test holds the file open for writing until it has become another program.
      guard case .notStarted(let why) = outcome.end, why.contains("Text file busy") else { return outcome }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  @Test("keeps the contract", arguments: HookContract.allCases)
  func contract(_ promise: HookContract) async throws {
    try await promise.check(on: HookFolderGround(byService: false))
  }

  @Test("keeps the contract by the service", arguments: HookContract.allCases)
  func contractByService(_ promise: HookContract) async throws {
    try await promise.check(on: HookFolderGround(byService: true))
  }

  @Test func `hooks that others could have put there are refused`() throws {
    for (name, mode) in [("good", 0o755), ("also-good", 0o700), ("writable", 0o775), ("text", 0o644)] {
      try folder.write("#!/bin/sh\n", to: name, mode: mode)
    }
    try folder.write("#!/bin/sh\n", to: "good.dpkg-old", mode: 0o755)
    try folder.write("#!/bin/sh\n", to: "good~", mode: 0o755)
    symlink("/bin/true", folder.file("link"))
    try folder.write("#!/bin/sh\n", to: "alien", mode: 0o755)
    chown(folder.file("alien"), 12_345, 0)
    let listing = try hooks().hooks()
    #expect(listing.hooks == ["also-good", "good"])
    #expect(
      listing.refused == [
        "alien": "it belongs to user 12345, not to root", "writable": "it can be written by others besides root",
        "text": "it is not executable", "link": "it is a symbolic link; the program itself belongs here",
      ])
    chmod(folder.path, 0o777)
    #expect(try hooks().hooks().refused == [folder.path: "the folder can be written by others besides root"])
    #expect(HookFolder.read("/nonexistent") == HookListing())
  }

  @Test func `a hook gets its environment and nothing else`() async throws {
    let outcome = try await run("env | grep -v -e '^_=' -e '^PWD=' | sort; ls /proc/self/fd | wc -l", ["A=b", "C=d e"])
    #expect(outcome.end == .exited(0))
    #expect(Array(outcome.output.prefix(2)) == ["A=b", "C=d e"])
    // Its input, its two outputs, and the folder that ls reads.
    #expect(outcome.output.dropFirst(2).map { $0.filter { $0 != " " } } == ["4"])
  }

  @Test func `a hook starts even if the agent has more descriptors than the hook may have`() async throws {
    let held = (0..<300).map { _ in open("/dev/null", O_RDONLY | O_CLOEXEC) }
    defer { for descriptor in held { close(descriptor) } }
    #expect(held.allSatisfy { $0 >= 0 })
    #expect(try await run("ulimit -n") == HookOutcome(.exited(0), output: ["256"]))
  }

  @Test func `a hook has no privileges`() async throws {
    let outcome = try await run("grep -E '^(CapPrm|CapEff|CapAmb|NoNewPrivs):' /proc/self/status; id -u; id -G")
    #expect(
      Array(outcome.output.prefix(4)) == [
        "CapPrm: 0000000000000000", "CapEff: 0000000000000000", "CapAmb: 0000000000000000", "NoNewPrivs: 1",
      ])
    if geteuid() == 0 { #expect(outcome.output.dropFirst(4).first == "65534") }
  }

  @Test func `how a hook ended is reported, with what it printed`() async throws {
    #expect(try await run("echo out; echo err >&2; exit 3") == HookOutcome(.exited(3), output: ["out", "err"]))
    #expect(try await run("kill -TERM $$").end == .killed(signal: SIGTERM))
    let flood = try await run("head -c 1000000 /dev/zero | tr '\\0' x; echo")
    #expect(flood.end == .exited(0) && flood.output.map(\.utf8.count) == [200])
    try folder.write("no program", to: "hook", mode: 0o755)
    guard case .notStarted(let why) = try await run(limit: .seconds(1)).end else {
      Issue.record("that was started")
      return
    }
    #expect(why.contains("Exec format error"))
  }

  @Test func `a hook that exceeds its time is killed, with what it has started`() async throws {
    // As long as a busy machine may take to start a shell.
    let outcome = try await run("sleep 1000 & echo $!; wait", limit: .seconds(5))
    #expect(outcome.end == .overTime)
    let child = try #require(outcome.output.first.flatMap { Int32($0) })
    for _ in 0..<1_000 where kill(child, 0) == 0 { try await Task.sleep(for: .milliseconds(10)) }
    #expect(kill(child, 0) != 0 && errno == ESRCH)
    let left = try await run("sleep 1000 & echo $!")
    #expect(left.end == .exited(0), "nor does it hold anyone up who stays behind")
  }

  // The last test: until init has reaped what it started, its user cannot start anything.
  @Test func `a hook cannot exceed its limit of processes`() async throws {
    let outcome = try await run("for n in $(seq 100); do sleep 30 & done; echo all")
    if geteuid() == 0 { #expect(outcome.end != .exited(0) && outcome.output.contains { $0.contains("fork") }) }
  }
}
