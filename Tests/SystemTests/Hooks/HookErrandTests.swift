import Agent
import Core
import Fakes
import Glibc
import Testing

@testable import System

@Suite(.timeLimit(.minutes(5))) struct HookErrandTests {
  private let errand = HookErrand(
    folder: "/etc/backhaul/hooks.d", hook: "page", limit: .milliseconds(1_500),
    environment: ["BACKHAUL_TEXT=ü = a", "PATH=\(HookCall.path)"])

  @Test func `requests and answers arrive unchanged`() {
    #expect(HookErrand(packet: errand.packet) == errand)
    for outcome in [
      HookOutcome(.exited(3), output: ["a", "", "b"]), HookOutcome(.killed(signal: 9)), HookOutcome(.overTime),
      HookOutcome(.notStarted("no room"), output: []),
    ] { #expect(HookOutcome(packet: outcome.packet) == outcome) }
  }

  @Test func `half an errand, or one that is too large, is refused`() {
    for count in 0..<errand.packet.count {
      let part = HookErrand(packet: Array(errand.packet.prefix(count)))
      #expect(part == nil || part?.environment.count ?? 2 < 2)
    }
    #expect(HookErrand(packet: errand.packet + [0xff, 0]) == nil)
    var many = errand
    many.environment = (0..<33).map { "BACKHAUL_A=\($0)" }
    #expect(HookErrand(packet: many.packet) == nil)
    many.environment = ["BACKHAUL_A=" + String(repeating: "x", count: HookErrand.largest)]
    #expect(HookErrand(packet: many.packet) == nil)
  }

  @Test(arguments: [
    "LD_PRELOAD=/tmp/a.so", "BASH_ENV=/tmp/a", "BACKHAUL", "BACKHAUL_a=1", "=1", "", "PATHS=/tmp", "PATH=/tmp:/bin",
  ])
  func `a variable that could control a program is refused`(_ variable: String) {
    var bad = errand
    bad.environment.append(variable)
    #expect(HookErrand(packet: bad.packet) == nil)
  }

  @Test func `a folder that is not a path, and an absurd time limit, are refused`() {
    var bad = errand
    bad.folder = "hooks.d"
    #expect(HookErrand(packet: bad.packet) == nil)
    for limit in [Duration.zero, .seconds(301)] {
      bad = errand
      bad.limit = limit
      #expect(HookErrand(packet: bad.packet) == nil)
    }
  }

  @Test func `an answer is cut to what a hook may print`() {
    let answer = HookOutcome(
      .notStarted("a\u{1b}b"), output: (0..<20).map { "\($0)" + String(repeating: "x", count: 300) })
    let taken = HookOutcome(packet: answer.packet)
    #expect(taken?.end == .notStarted("a b"))
    #expect(taken?.output.count == 10 && taken?.output.allSatisfy { $0.utf8.count == 200 } == true)
  }

  @Test func `a hook that nobody is waiting for is ended`() async throws {
    let ground = try HookFolderGround(byService: true)
    try ground.folder.write("#!/bin/sh\necho $$ >\(ground.folder.path)/pid\nexec sleep 1000\n", to: "hook", mode: 0o755)
    let port = try ground.port()
    let running = Task { await port.run("hook", environment: [], limit: .seconds(60)) }
    var hook: Int32?
    while hook == nil {
      try await Task.sleep(for: .milliseconds(5))
      hook = (try? ground.folder.bytes(of: "pid")).flatMap { Int32(String(decoding: $0.dropLast(), as: UTF8.self)) }
    }
    running.cancel()
    #expect(await running.value == HookOutcome(.killed(signal: SIGKILL)))
    let process = try #require(hook)
    for _ in 0..<1_000 where kill(process, 0) == 0 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(kill(process, 0) != 0, "with the agent's end of the connection")
  }

  @Test func `every folder above the hooks' must belong to root`() throws {
    let folder = try Folder()
    for name in ["a", "a/hooks.d"] { #expect(mkdir(folder.file(name), 0o755) == 0) }
    chmod(folder.path, 0o755)
    #expect(HookFolder.read(folder.file("a/hooks.d"), trusting: geteuid()) == HookListing())
    chmod(folder.file("a"), 0o777)
    #expect(
      HookFolder.read(folder.file("a/hooks.d"), trusting: geteuid()).refused.values.first
        == "\(folder.file("a")) can be written by others besides root")
    chmod(folder.file("a"), 0o755)
    symlink(folder.file("a"), folder.file("b"))
    #expect(
      HookFolder.read(folder.file("b/hooks.d"), trusting: geteuid()).refused.values.first
        == "\(folder.file("b")) is a symbolic link")
  }

  @Test func `the service checks by itself whether a hook may run`() async throws {
    let ground = try HookFolderGround(byService: true)
    try ground.put("text", .exits(0), .isNotExecutable)
    let port = try ground.port()
    #expect(
      await port.run("text", environment: [], limit: .seconds(5)) == HookOutcome(.notStarted("it is not executable")))
    let why = "there is no such hook in \(ground.folder.path)"
    #expect(await port.run("../../bin/true", environment: [], limit: .seconds(5)) == HookOutcome(.notStarted(why)))
  }

  @Test func `an agent that is not root runs no hooks without the service`() async throws {
    let ground = try HookFolderGround(byService: false)
    try ground.put("hook", .exits(0), nil)
    var configuration = HooksConfiguration(directory: ground.folder.path)
    let path = ground.folder.file("nobody.sock")
    var hooks = try LinuxHooks(configuration, trusting: geteuid(), service: path, isRoot: false)
    #expect(
      hooks.hooks().refused == [
        "hook": "an agent that is not root runs hooks through backhaul-hooks.socket, but \(path) is not there"
      ])
    let outcome = await hooks.run("hook", environment: [], limit: .seconds(5))
    #expect(outcome == HookOutcome(.notStarted("ask \(path) to run hook: No such file or directory")))
    configuration.user = "nobody"
    hooks = try LinuxHooks(configuration, trusting: geteuid(), service: path, isRoot: false)
    #expect(hooks.hooks().refused["hook"]?.hasPrefix("run hooks as nobody: only root can") == true)
  }

  @Test func `the service takes nothing but an errand`() async throws {
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
    defer { for end in ends { close(end) } }
    #expect(send(ends[0], "hello", 5, 0) == 5)
    await #expect(throws: SystemCallFailure("take an errand", cause: "the 5 bytes that came are not an errand")) {
      try await HookService.serve(ends[1])
    }
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    defer { close(null) }
    await #expect(throws: SystemCallFailure.self) { try await HookService.serve(null) }
  }
}
