import Agent
import Core
import Fakes
import Glibc
internal import RuleSets
import Synchronization
import System
import Testing
import VICI

/// A charon that hangs, goes, or answers nonsense.
@Suite(.timeLimit(.minutes(5))) struct LinuxCharonTests {
  private typealias Answer = @Sendable (String) -> [VICIPacket]?

  /// A well-behaved charon, except for what `answer` says.
  private func scripted(_ answer: @escaping @Sendable (String) -> [VICIPacket]?) throws -> ScriptedVICI {
    try ScriptedVICI { packet, line in
      switch packet {
      case .request(let command, _):
        guard let answers = answer(command) else {
          line.wait()
          return nil
        }
        return answers.isEmpty ? [.response(ScriptedVICI.answer(command))] : answers
      case .register, .unregister: return [.confirmed]
      case .response, .commandUnknown, .confirmed, .eventUnknown, .event: return nil
      }
    }
  }

  private func charon(_ scripted: ScriptedVICI, patience: Duration = .seconds(30)) throws -> LinuxCharon {
    try LinuxCharon(IPsecConfiguration(viciSocket: scripted.path), patience: patience)
  }

  private func failure(_ body: () async throws -> Void) async throws -> CharonFailure {
    do {
      try await body()
    } catch let failure as CharonFailure {
      return failure
    }
    throw ContractBreach("it succeeded")
  }

  // MARK: Hanging

  @Test func oneThatAcceptsAndNeverAnswersIsGivenUp() async throws {
    let silent = try ScriptedVICI { (line: borrowing VICILine) in line.wait() }
    let charon = try charon(silent, patience: .milliseconds(50))
    let failure = try await failure { _ = try await charon.connect { _ in } }
    #expect(failure.isGone)
    #expect(failure.cause.hasSuffix("charon did not answer in time"), "\(failure)")
  }

  @Test func oneThatTakesItsTimeForEachAnswerIsGivenUpAsAWhole() async throws {
    let asked = Mutex<[String]>([])
    let slow = try ScriptedVICI { packet, _ in
      if case .request(let command, _) = packet { asked.withLock { $0.append(command) } }
      if case .register(let event) = packet { asked.withLock { $0.append(event) } }
      usleep(100_000)
      if case .request(let command, _) = packet { return [.response(ScriptedVICI.answer(command))] }
      return [.confirmed]
    }
    let charon = try charon(slow, patience: .milliseconds(350))
    let failure = try await failure { _ = try await charon.connect { _ in } }
    #expect(failure.isGone)
    // Each single answer was in time; there would have been eight.
    #expect(asked.withLock { $0.count } < 6)
  }

  @Test func oneThatHangsLaterIsLeftAndAnswersAgainAfterANewConnection() async throws {
    let hangs = Mutex(true)
    let scripted = try scripted { command in
      command == "get-conns" && hangs.withLock { $0 } ? nil : []
    }
    // Long enough for a busy machine to connect meanwhile; it is waited for once.
    let charon = try charon(scripted, patience: .seconds(3))
    _ = try await charon.connect { _ in }
    let first = try await failure { _ = try await charon.holdings() }
    #expect(first.isGone)
    #expect(first.operation == "get-conns")
    hangs.withLock { $0 = false }
    let second = try await failure { _ = try await charon.holdings() }
    #expect(second.cause == "charon is not connected", "an answer that comes late is nobody's")
    _ = try await charon.connect { _ in }
    #expect(try await charon.holdings() == CharonHoldings())
  }

  @Test func aMissingOneIsReportedAsGone() async throws {
    let charon = try LinuxCharon(IPsecConfiguration(viciSocket: "/nowhere/charon.vici"))
    let failure = try await failure { _ = try await charon.connect { _ in } }
    #expect(failure.isGone)
    #expect(failure.description.contains("/nowhere/charon.vici"))
    #expect(try await self.failure { _ = try await charon.holdings() }.isGone)
  }

  // MARK: Nonsense

  @Test(
    "nonsensical answers end the connection",
    arguments: [
      .confirmed, .eventUnknown, .request(command: "list-sas", VICIMessage()), .register(event: "log"),
    ] as [VICIPacket])
  func nonsense(_ packet: VICIPacket) async throws {
    let scripted = try scripted { $0 == "get-conns" ? [packet] : [] }
    let charon = try charon(scripted)
    _ = try await charon.connect { _ in }
    #expect(try await failure { _ = try await charon.holdings() }.isGone)
    #expect(try await failure { try await charon.apply(.terminate(IKETestName.fra)) }.isGone)
  }

  @Test func bytesOfNoSenseEndTheConnection() async throws {
    let garbage = try ScriptedVICI { (line: borrowing VICILine) in
      while let packet = line.receive() {
        if case .request(let command, _) = packet, command != "get-conns" {
          _ = line.send(.response(ScriptedVICI.answer(command)))
        } else if case .register = packet {
          _ = line.send(.confirmed)
        } else {
          _ = line.send(raw: [0xff, 0xff, 0xff, 0xff, 0x07])
        }
      }
    }
    let charon = try charon(garbage)
    _ = try await charon.connect { _ in }
    let failure = try await failure { _ = try await charon.holdings() }
    #expect(failure.isGone)
    #expect(failure.cause.contains("malformed"), "\(failure)")
  }

  @Test func aRefusalIsAnAnswer() async throws {
    let scripted = try scripted { command in
      guard command == "initiate" else { return [] }
      return [
        .response(
          VICIMessage {
            $0.set("success", false)
            $0.set("errmsg", "CHILD_SA config 'fra-a' not found\u{1b}[2J\n")
          })
      ]
    }
    let charon = try charon(scripted)
    _ = try await charon.connect { _ in }
    let failure = try await failure { try await charon.apply(.initiate(IKETestName.fra)) }
    #expect(!failure.isGone)
    #expect(failure.operation == "initiate backhaul-fra-a")
    #expect(failure.cause.hasSuffix("charon refused: CHILD_SA config 'fra-a' not found?[2J?"), "fit for one line")
    #expect(try await charon.holdings() == CharonHoldings(), "and the connection goes on")
  }

  @Test func oneThatCallsItselfSomethingOddIsReportedInOneLine() async throws {
    let scripted = try scripted { command in
      guard command == "version" else { return [] }
      return [
        .response(
          VICIMessage {
            $0.set("daemon", "charon\n\u{1b}]0;owned\u{7}")
            $0.set("version", String(repeating: "9", count: 60_000))
          })
      ]
    }
    let charon = try charon(scripted)
    let version = try await charon.connect { _ in }.version
    #expect(version.utf8.count < 600)
    #expect(version.utf8.allSatisfy { (0x20..<0x7f).contains($0) })
  }

  @Test func namesThatAreNotOursAreNotTold() async throws {
    let scripted = try scripted { command in
      guard command == "get-conns" else { return [] }
      return [
        .response(
          VICIMessage {
            $0.set(
              "conns", ["backhaul-fra-a", "backhaul-", "backhaul", "home", "backhaul-No Name", "", "backhaul-../x"])
          })
      ]
    }
    let charon = try charon(scripted)
    _ = try await charon.connect { _ in }
    #expect(try await charon.holdings().connections == [IKETestName.fra])
  }

  // MARK: Events

  @Test func eventsAreReportedAndTheEnd() async throws {
    let events = CharonEvents()
    let told = Mutex<[CharonEvent]>([])
    let scripted = try ScriptedVICI { packet, line in
      switch packet {
      case .request(let command, _): return [.response(ScriptedVICI.answer(command))]
      case .register(let event) where event == CharonEventNames.last:
        _ = line.send(.confirmed)
        func log(_ connection: String, _ text: String) -> VICIPacket {
          .event(
            name: "log",
            VICIMessage {
              $0.set("ikesa-name", connection)
              $0.set("msg", text)
            })
        }
        for event in [
          log("home", "received AUTHENTICATION_FAILED notify error"),
          log("backhaul-fra-a", "generating IKE_AUTH request 1"),
          log("backhaul-fra-a", "received NO_PROPOSAL_CHOSEN notify error"),
          .event(name: "log", VICIMessage { $0.set("msg", "giving up after 5 retransmits") }),
          .event(
            name: "ike-updown",
            VICIMessage {
              $0.set("up", true)
              $0.section("backhaul-ams") { $0.set("state", "ESTABLISHED") }
            }),
          .event(name: "child-rekey", VICIMessage { $0.section("home") { _ in } }),
          .event(name: "child-rekey", VICIMessage { $0.section("backhaul-fra-a") { _ in } }),
        ] { _ = line.send(event) }
        return nil
      default: return [.confirmed]
      }
    }
    let charon = try charon(scripted)
    let handler = events.handler
    _ = try await charon.connect { event in
      told.withLock { $0.append(event) }
      handler(event)
    }
    #expect(await events.end()?.contains("closed the connection") == true)
    #expect(try await failure { _ = try await charon.holdings() }.isGone)
    let ams = try #require(Name("ams"))
    #expect(
      told.withLock { $0.dropLast() } == [
        .trouble(IKETestName.fra, IKETrouble("the hub accepts none of our proposals (NO_PROPOSAL_CHOSEN)", .answer)),
        .changed(ams),
        .changed(IKETestName.fra),
      ])
  }

  @Test func aFloodOfEventsHoldsUpNoAnswer() async throws {
    let flood = try ScriptedVICI { packet, line in
      switch packet {
      case .request(let command, _): return [.response(ScriptedVICI.answer(command))]
      case .register(let event) where event == CharonEventNames.last:
        _ = line.send(.confirmed)
        let log = VICIPacket.event(
          name: "log",
          VICIMessage {
            $0.set("ikesa-name", "backhaul-fra-a")
            $0.set("msg", "giving up after 5 retransmits")
          })
        // Until the client is gone.
        while line.send(log) {}
        return nil
      default: return [.confirmed]
      }
    }
    let told = Mutex(0)
    // The flood ends with it.
    let charon = try charon(flood)
    _ = try await charon.connect { _ in told.withLock { $0 += 1 } }
    while told.withLock({ $0 }) < 10_000 { try await Task.sleep(for: .milliseconds(1)) }
    for _ in 0..<20 { #expect(try await charon.holdings() == CharonHoldings()) }
  }
}

enum IKETestName {
  static let fra = name("fra-a")
  static func name(_ text: String) -> Name {
    guard let name = Name(text) else { fatalError("not valid in a test: \(text)") }
    return name
  }
}

enum CharonEventNames {
  /// The last event that is registered for.
  static let last = "log"
}
