import Agent
import Core
import FoundationEssentials
import Glibc
import Synchronization
import System
import Testing

@Suite struct LocalFrameTests {
  @Test func `a frame that is cut at any byte is incomplete`() {
    let frame = LocalFrame.encode(Array("{\"verb\":\"status\"}".utf8))
    for length in 0..<frame.count { #expect(LocalFrame.parse(Array(frame[..<length]).span) == .incomplete) }
    #expect(LocalFrame.parse(frame.span) == .complete(Array("{\"verb\":\"status\"}".utf8)))
  }

  @Test func `a frame that is empty, too long or followed by another is refused before more is read`() {
    #expect(LocalFrame.parse(([0, 0, 0, 0] as [UInt8]).span) == .refused(.empty))
    #expect(LocalFrame.parse(([0, 0, 0x10, 1] as [UInt8]).span) == .refused(.tooLong(4_097, limit: 4_096)))
    #expect(LocalFrame.parse(([255, 255, 255, 255] as [UInt8]).span) == .refused(.tooLong(.max, limit: 4_096)))
    #expect(LocalFrame.parse(([0, 0, 0, 1, 2, 3] as [UInt8]).span) == .refused(.trailing))
  }
}

/// A client that does what it wants.
private final class RawClient: Sendable {
  let socket: Int32

  init(_ path: String) throws {
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0)
  }

  func send(_ bytes: [UInt8]) { _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

  /// Until the server has closed; nothing is read.
  func dropped() async throws {
    while true {
      var watched = pollfd(fd: socket, events: 0, revents: 0)
      if poll(&watched, 1, 0) == 1, Int32(watched.revents) & POLLHUP != 0 { return }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Everything until the server closes, without the length before it.
  func reply() async throws -> String { try await blocking { self.readAll() } }

  private func readAll() -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return String(decoding: bytes.dropFirst(4), as: UTF8.self) }
      bytes.append(contentsOf: buffer[..<count])
    }
  }

  deinit { close(socket) }
}

/// How many are in it now, and the maximum so far.
private final class Counter: Sendable {
  private let counts = Mutex((now: 0, most: 0))
  func enter() {
    counts.withLock {
      $0.now += 1
      $0.most = max($0.most, $0.now)
    }
  }
  func leave() { counts.withLock { $0.now -= 1 } }
  var most: Int { counts.withLock { $0.most } }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct LocalSocketTests {
  let folder: Folder
  let path: String

  init() throws {
    folder = try Folder()
    path = folder.file("agent.sock")
  }

  /// If a test is not about the deadline, a busy machine must not make it fail.
  private static var patient: LocalServer.Limits {
    var limits = LocalServer.Limits()
    limits.deadline = .seconds(60)
    return limits
  }

  private func server(_ limits: LocalServer.Limits = patient) throws -> LocalServer {
    try LocalServer(at: path, limits: limits) { request, peer in
      if request == Array("slow".utf8) { try? await Task.sleep(for: .seconds(60)) }
      if request == Array("large".utf8) { return [UInt8](repeating: 120, count: 8 << 20) }
      return Array("\(String(decoding: request, as: UTF8.self)) from \(peer.user)".utf8)
    }
  }

  private func ask(_ text: String, timeout: Duration = .seconds(60)) async throws -> String {
    try await blocking { [path] in
      let reply = try LocalClient.ask(socketPath: path, request: Array(text.utf8), timeout: timeout)
      return String(decoding: reply, as: UTF8.self)
    }
  }

  @Test func `a client is answered and its user is known; only owner and group may use the socket`() async throws {
    let server = try server()
    defer { server.stop() }
    #expect(try await ask("status") == "status from \(geteuid())")
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o660)
    #expect(try await ask("large").utf8.count == 8 << 20)
  }

  @Test func `no agent, no permission, a closed connection and a slow agent are told apart`() async throws {
    await #expect(throws: LocalFailure.noAgent(path: path)) { try await ask("status") }
    let server = try server()
    await #expect(throws: LocalFailure.timedOut) { try await ask("slow", timeout: .milliseconds(100)) }
    var limits = LocalServer.Limits()
    limits.deadline = .milliseconds(100)
    server.stop()
    while access(path, F_OK) == 0 { try await Task.sleep(for: .milliseconds(1)) }
    await #expect(throws: LocalFailure.noAgent(path: path)) { try await ask("status") }
    let hurried = try await retried {
      try LocalServer(at: path, limits: limits) { _, _ in
        try? await Task.sleep(for: .seconds(60))
        return []
      }
    }
    defer { hurried.stop() }
    await #expect(throws: LocalFailure.brokeOff) { try await ask("status") }
    let long = "/" + String(repeating: "a", count: 200)
    #expect(throws: LocalFailure.self) { try LocalClient.ask(socketPath: long, request: [1]) }
  }

  @Test func `a second agent is refused, a dead one's socket is replaced, another's file is not`() async throws {
    let first = try server()
    let failure = #expect(throws: SystemCallFailure.self) { try server() }
    #expect(failure?.description == "bind \(path): another agent has it")
    #expect(failure?.isTaken == true)
    #expect(try await ask("still") == "still from \(geteuid())")
    first.stop()
    while access(path, F_OK) == 0 { try await Task.sleep(for: .milliseconds(1)) }
    try TestProcess.run(
      "python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", path)
    let second = try await retried { try server() }
    #expect(try await ask("new") == "new from \(geteuid())")
    second.stop()
    while access(path, F_OK) == 0 { try await Task.sleep(for: .milliseconds(1)) }
    try folder.write("precious", to: "agent.sock")
    await #expect(throws: SystemCallFailure("bind \(path)", cause: "something other than a socket is there")) {
      try await retried { try server() }
    }
    #expect(try folder.bytes(of: "agent.sock") == Array("precious".utf8))
  }

  /// Started by hand after a boot there is no /run/backhaul.
  @Test func `the socket's folder is made as the unit would make it`() throws {
    let path = folder.file("run/backhaul/agent.sock")
    let server = try LocalServer(at: path) { _, _ in [] }
    defer { server.stop() }
    let mode =
      try FileManager.default.attributesOfItem(atPath: folder.file("run/backhaul"))[.posixPermissions] as? Int
    #expect(mode == 0o755)
  }

  /// A stopped server's lock goes a moment after its file.
  private func retried(_ body: () throws -> LocalServer) async throws -> LocalServer {
    for _ in 0..<10_000 {
      do { return try body() } catch let failure as SystemCallFailure where failure.cause == "another agent has it" {
        try await Task.sleep(for: .milliseconds(2))
      }
    }
    return try body()
  }

  @Test func `clients that send nonsense are refused or dropped, and others are served`() async throws {
    let server = try server()
    defer { server.stop() }
    for (bytes, said) in [
      ([0, 0, 0, 0], "{\"error\":\"an empty request\",\"schema\":1}"),
      ([0, 1, 0, 0], "{\"error\":\"a request of 65536 bytes, but the limit is 4096\",\"schema\":1}"),
      ([0, 0, 0, 1, 65, 66], "{\"error\":\"more than one request on a connection\",\"schema\":1}"),
    ] as [([UInt8], String)] {
      let client = try RawClient(path)
      client.send(bytes)
      #expect(try await client.reply() == said)
    }
    for length in [0, 1, 4, 100] {
      let client = try RawClient(path)
      client.send(Array([0, 0, 4, 0].prefix(length) + [UInt8](repeating: 65, count: max(0, length - 4))))
    }
    #expect(try await ask("status") == "status from \(geteuid())")
  }

  @Test func `a client that says nothing, or reads nothing, is dropped at its deadline`() async throws {
    var limits = LocalServer.Limits()
    limits.deadline = .milliseconds(200)
    let server = try server(limits)
    defer { server.stop() }
    let silent = try RawClient(path)
    let deaf = try RawClient(path)
    deaf.send(LocalFrame.encode(Array("large".utf8)))
    #expect(try await silent.reply() == "")
    try await deaf.dropped()
    #expect(try await deaf.reply().utf8.count < 8 << 20)
  }

  @Test func `one client too many is told "busy" at once, and served when there is room again`() async throws {
    var limits = Self.patient
    limits.clients = 8
    limits.keptForRoot = 0
    let server = try server(limits)
    defer { server.stop() }
    var idle: [RawClient] = []
    for _ in 0..<8 { idle.append(try RawClient(path)) }
    let busy = LocalAPI.Refusal.busy(8)
    #expect(try await Array(ask("status").utf8) == LocalAPI.encode(busy))
    idle.removeAll()
    var reply = ""
    for _ in 0..<1_000 where !reply.hasPrefix("status from") {
      reply = try await ask("status")
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(reply == "status from \(geteuid())")
  }

  @Test func `few requests are worked on at once, including those of clients that have left`() async throws {
    let busy = Counter()
    let server = try LocalServer(at: path, limits: Self.patient) { _, _ in
      busy.enter()
      // Work that ignores cancellation continues after it.
      await Task { try? await Task.sleep(for: .milliseconds(20)) }.value
      busy.leave()
      return Array("done".utf8)
    }
    defer { server.stop() }
    for _ in 0..<20 { try RawClient(path).send(LocalFrame.encode([1])) }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<20 { group.addTask { _ = try? await ask("more") } }
    }
    #expect(busy.most == 2)
  }

  @Test func `places are reserved for root, and no user can take all the others`() {
    let limits = LocalServer.Limits()
    let crowd = [UInt32](repeating: 1000, count: 16)
    #expect(limits.admits(1000, beside: Array(crowd.dropLast())))
    #expect(!limits.admits(1000, beside: crowd))
    #expect(limits.admits(1001, beside: crowd))
    let full = (0..<56).map { 1000 + UInt32($0) }
    #expect(!limits.admits(2000, beside: full))
    #expect(limits.admits(0, beside: full))
    #expect(limits.admits(0, beside: [UInt32](repeating: 0, count: 63)))
    #expect(!limits.admits(0, beside: [UInt32](repeating: 0, count: 64)))
  }

  @Test func `many clients at once are all answered`() async throws {
    let server = try server()
    defer { server.stop() }
    let replies = Record<String>()
    // Fewer at once than are admitted; how many more are served one after the other does not matter.
    for round in 0..<4 {
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<50 {
          group.addTask { if let reply = try? await ask("n\(round * 50 + number)") { replies.add(reply) } }
        }
      }
    }
    #expect(replies.all.count == 200)
    #expect(Set(replies.all) == Set((0..<200).map { "n\($0) from \(geteuid())" }))
  }
}
