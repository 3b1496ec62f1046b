import Glibc
import Testing
import VICI

@Suite(.timeLimit(.minutes(5))) struct SessionTests {
  private static let yes = VICIMessage { $0.set("success", true) }
  private static let patience = ScriptedCharon.patience

  private static func numbered(_ number: Int) -> VICIMessage { VICIMessage { $0.set("n", number) } }

  /// What `version` fails with, once the script has run.
  private func failure(
    timeout: Duration = patience, _ script: @escaping @Sendable (Line) -> Void
  ) throws -> VICIFailure? {
    let charon = try ScriptedCharon(script)
    var session = try charon.open()
    do throws(VICIFailure) { _ = try session.request("version", timeout: timeout) } catch {
      #expect(error.operation == "vici version" && error.socketPath == charon.path)
      #expect(session.isBroken == error.breaksSession)
      return error
    }
    return nil
  }

  @Test func `a command is answered, whatever pieces the answer comes in`() throws {
    let answer = VICIMessage { $0.set("version", "5.9.8") }
    let request = VICIMessage { $0.set("name", "hub-fra") }
    let charon = try ScriptedCharon { line in
      line.receive()
      for byte in Line.frame(.response(answer)) { line.send(raw: [byte]) }
      line.receive()
      line.send(.response(Self.yes))
    }
    var session = try charon.open()
    #expect(try session.request("version", timeout: Self.patience) == answer)
    #expect(try session.request("unload-conn", request, timeout: Self.patience) == Self.yes)
    #expect(
      charon.received == [
        .request(command: "version", VICIMessage()), .request(command: "unload-conn", request),
      ])
  }

  @Test func `the largest request and the largest answer pass`() throws {
    let message = VICIMessage { message in
      for number in 0..<7 { message.set("v\(number)", bytes: [UInt8](repeating: 1, count: 65_535)) }
    }
    let charon = try ScriptedCharon { line in
      guard case .request(_, let message)? = line.receive() else { return }
      line.send(.response(message))
    }
    var session = try charon.open()
    #expect(try session.request("echo", message, timeout: Self.patience) == message)
  }

  @Test func `a refusal keeps charon's words, and the session goes on`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(
        .response(
          VICIMessage {
            $0.set("success", false)
            $0.set("errmsg", "invalid value for: version, config discarded")
          }))
      line.receive()
      line.send(.commandUnknown)
      line.receive()
      line.send(.response(Self.yes))
    }
    var session = try charon.open()
    let secret = VICIMessage { $0.set("data", "Hunter2") }
    let refused = VICITests.failure { () throws(VICIFailure) in
      _ = try session.request("load-shared", secret, timeout: Self.patience)
    }
    #expect(refused?.refusal == "invalid value for: version, config discarded")
    #expect(refused.map { "\($0)" }?.contains("Hunter2") == false)
    let unknown = cause { () throws(VICIFailure) in _ = try session.request("nonsense", timeout: Self.patience) }
    #expect(unknown == .unknownCommand)
    #expect(try session.request("version", timeout: Self.patience) == Self.yes)
  }

  @Test func `a request that cannot be written is not sent, and the session goes on`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.response(Self.yes))
    }
    var session = try charon.open()
    let large = VICIMessage { $0.set("data", bytes: [UInt8](repeating: 1, count: 65_536)) }
    let refused = cause { () throws(VICIFailure) in
      _ = try session.request("load-key", large, timeout: Self.patience)
    }
    #expect(refused == .unencodable(.valueTooLong(of: "data", 65_536)))
    #expect(try session.request("version", timeout: Self.patience) == Self.yes)
  }

  @Test func `silence ends with the timeout, and then every call throws at once`() throws {
    let charon = try ScriptedCharon { line in line.wait() }
    var session = try charon.open()
    let start = ContinuousClock.now
    let failure = VICITests.failure { () throws(VICIFailure) in
      _ = try session.request("version", timeout: .milliseconds(100))
    }
    #expect(failure?.isTimeout == true && session.isBroken)
    #expect(ContinuousClock.now - start >= .milliseconds(100))
    let later = [
      cause { () throws(VICIFailure) in _ = try session.request("version", timeout: Self.patience) },
      cause { () throws(VICIFailure) in _ = try session.register("log", timeout: Self.patience) },
      cause { () throws(VICIFailure) in try session.unregister("log", timeout: Self.patience) },
      cause { () throws(VICIFailure) in _ = try session.nextEvent() },
      cause { () throws(VICIFailure) in
        _ = try session.stream("list-sas", event: "list-sa", timeout: Self.patience) { _ in }
      },
    ]
    #expect(later.allSatisfy { $0 == .broken })
    #expect(ContinuousClock.now - start < Self.patience)
  }

  @Test func `the timeout covers the whole answer: neither single bytes nor events extend it`() throws {
    let slow = try failure(timeout: .milliseconds(150)) { line in
      // A length of 1,000, and then one byte after the other.
      line.send(raw: [0, 0, 3, 232, 1])
      while line.send(raw: [3]) { usleep(10_000) }
    }
    #expect(slow?.isTimeout == true)
    let flooded = try failure(timeout: .milliseconds(150)) { line in
      let events = [[UInt8]](repeating: Line.frame(.event(name: "log", Self.yes)), count: 100).flatMap(\.self)
      while line.send(raw: events) {}
    }
    #expect(flooded?.isTimeout == true)
  }

  @Test func `a request that charon does not read ends with the timeout`() throws {
    let message = VICIMessage { message in
      for number in 0..<7 { message.set("v\(number)", bytes: [UInt8](repeating: 1, count: 65_535)) }
    }
    let released = Gate()
    defer { released.open() }
    let deaf = try ScriptedCharon { _ in released.wait() }
    var session = try deaf.open()
    let failure = VICITests.failure { () throws(VICIFailure) in
      _ = try session.request("load-conn", message, timeout: .milliseconds(100))
    }
    #expect(failure?.isTimeout == true && session.isBroken)
  }

  @Test func `charon going away is reported before a request, during it, and during the answer`() throws {
    let scripts: [@Sendable (Line) -> Void] = [
      { _ in },
      { line in line.receive() },
      { line in
        line.receive()
        line.send(raw: Array(Line.frame(.response(Self.yes)).dropLast()))
      },
      { line in
        line.receive()
        line.send(raw: [0, 0])
      },
    ]
    for script in scripts {
      let failure = try failure(script)
      #expect(failure?.isGone == true && failure?.cause == .closed)
    }
  }

  @Test(
    arguments: [
      ([0, 8, 0, 1], .malformed(.packetTooLong(524_289), at: 0)),
      ([0, 0, 0, 0], .malformed(.emptyPacket, at: 0)),
      (Array("HTTP/1.1 400 Bad Request\r\n".utf8), .malformed(.packetTooLong(1_213_486_160), at: 0)),
      ([0, 0, 0, 2, 1, 9], .malformed(.unknownElement(9), at: 1)),
      ([0, 0, 0, 1, 99], .malformed(.unknownPacket(99), at: 0)),
      ([0, 0, 0, 1, 5], .unexpected(packet: "EVENT_CONFIRM")),
      ([0, 0, 0, 1, 6], .unexpected(packet: "EVENT_UNKNOWN")),
      ([0, 0, 0, 2, 0, 0], .unexpected(packet: "CMD_REQUEST")),
      ([0, 0, 0, 2, 3, 0], .unexpected(packet: "EVENT_REGISTER")),
    ] as [([UInt8], VICIFailure.Cause)])
  func `nonsense is refused and breaks the session`(_ bytes: [UInt8], _ cause: VICIFailure.Cause) throws {
    let failure = try failure { line in
      line.receive()
      line.send(raw: bytes)
      line.wait()
    }
    #expect(failure?.cause == cause && failure?.breaksSession == true)
  }

  @Test func `an unexpected answer is not taken for the answer to the next request`() throws {
    let charon = try ScriptedCharon { line in
      line.receive()
      line.send(.response(Self.numbered(1)), .response(Self.numbered(2)))
      line.wait()
    }
    var session = try charon.open()
    #expect(try session.request("version", timeout: Self.patience) == Self.numbered(1))
    let second = cause { () throws(VICIFailure) in _ = try session.request("version", timeout: Self.patience) }
    #expect(second == .unexpected(packet: "CMD_RESPONSE"))
  }

  @Test func `a missing charon is reported as gone, and told apart from a bad address`() throws {
    func failure(_ path: String, _ timeout: Duration = Self.patience) -> VICIFailure? {
      VICITests.failure { () throws(VICIFailure) in _ = try VICISession.open(socketPath: path, timeout: timeout) }
    }
    let charon = try ScriptedCharon { _ in }
    #expect(failure(charon.path + "-absent")?.isGone == true)
    #expect(failure(charon.path + "/deeper")?.isGone == true)
    // What is left of a charon that was killed.
    let dead = charon.path + "-dead"
    close(try ScriptedCharon.listen(at: dead, backlog: 1))
    defer { unlink(dead) }
    #expect(failure("unix://" + dead)?.cause == .system(call: "connect", errno: ECONNREFUSED))
    for path in ["", "tcp://127.0.0.1:4502", "charon.vici", "unix://", "/" + String(repeating: "a", count: 107)] {
      #expect(failure(path)?.cause == .unusableAddress)
    }
    let full = charon.path + "-full"
    let listener = try ScriptedCharon.listen(at: full, backlog: 0)
    defer {
      close(listener)
      unlink(full)
    }
    let first = try VICISession.open(socketPath: full, timeout: Self.patience)
    #expect(failure(full, .milliseconds(50))?.isTimeout == true)
    #expect(first.socketPath == full)
  }
}
