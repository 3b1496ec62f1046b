import Core
import Fakes
import FoundationEssentials
internal import RuleSets
import Synchronization
import Testing
import VICI

@testable import Agent
@testable import System

/// A pre-shared key and a private key are planted, and used successfully and not: neither may show up in anything that
/// an operator, a log or a debugger sees.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SecretsTests {
  /// The planted keys, in every form in which a program may print bytes.
  private struct Planted {
    var forms: [String] = []

    init(_ ground: RealCharonGround) async throws {
      guard case .psk(let psk) = try await ground.credentials(.psk),
        case .certificate(_, let key, _) = try await ground.credentials(.certificate)
      else { throw ContractBreach("other credentials than asked for") }
      let pem = try String(contentsOfFile: key, encoding: .utf8)
      let body = pem.split(separator: "\n").dropFirst().prefix { !$0.hasPrefix("-----") }.joined()
      let der = try #require(Data(base64Encoded: body))
      // The beginning is the same in every key of this kind.
      for secret in [
        Array(try Data(contentsOf: URL(filePath: psk)).dropLast()), Array(der.dropFirst(16).prefix(16)),
        Array(body.utf8.dropFirst(40).prefix(24)), Array(CharonSecret.marker.utf8),
      ] {
        forms.append(String(decoding: secret, as: UTF8.self))
        forms.append(secret.prefix(8).map(String.init).joined(separator: ", "))
        for separator in ["", ":", " "] { forms.append(secret.prefix(8).map(Self.hex).joined(separator: separator)) }
        forms.append(Data(secret.prefix(9)).base64EncodedString())
      }
      forms.append(String(body.prefix(120).suffix(60)))
    }

    private static func hex(_ byte: UInt8) -> String {
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    func expectNone(in text: String, _ what: String) {
      for form in forms {
        #expect(!text.contains(form), "\(what) shows a secret")
        #expect(!text.uppercased().contains(form.uppercased()), "\(what) shows a secret")
      }
    }

    /// However it is printed.
    func expectNone<T>(in value: T, _ what: String) {
      expectNone(in: String(describing: value), "description of \(what)")
      expectNone(in: String(reflecting: value), "debugDescription of \(what)")
      expectNone(in: "\(value)", what)
      var dumped = ""
      dump(value, to: &dumped)
      expectNone(in: dumped, "dump of \(what)")
    }
  }

  private final class Recorder: EventSink {
    private let events = Mutex<[AgentEvent]>([])
    var all: [AgentEvent] { events.withLock { $0 } }
    func record(_ event: AgentEvent) { events.withLock { $0.append(event) } }
  }

  private func connection(_ ground: RealCharonGround, _ kind: CharonSecret) async throws -> IKEConnection {
    IKEConnection(
      tunnel: IKETestName.name("\(kind)".lowercased()), mode: .tunnel(interfaceID: 7),
      local: try #require(IPv4Address("192.0.2.1")), remote: try #require(IPv4Address("203.0.113.2")),
      localID: try #require(IKEIdentity("branch-017")), remoteID: try #require(IKEIdentity("hub.example")),
      credentials: try await ground.credentials(kind))
  }

  @Test func theFormsAreFoundWhereTheyAre() async throws {
    try await RealCharonGround.with { ground in
      let planted = try await Planted(ground)
      let bytes = Array(CharonSecret.marker.utf8)
      #expect(planted.forms.contains { "\(bytes)".contains($0) })
      #expect(planted.forms.contains { "key \(CharonSecret.marker)".contains($0) })
      #expect(planted.forms.allSatisfy { $0.count >= 8 })
    }
  }

  @Test func inWhatCarriesThem() async throws {
    try await RealCharonGround.with { ground in
      let planted = try await Planted(ground)
      for kind in CharonSecret.allCases {
        let connection = try await connection(ground, kind)
        planted.expectNone(in: connection, "IKEConnection")
        planted.expectNone(in: IKEStep.load(connection), "IKEStep")
        let content: CharonCredentials.Content
        do throws(SystemCallFailure) { content = try CharonCredentials.read(connection) } catch {
          planted.expectNone(in: error, "SystemCallFailure")
          continue
        }
        planted.expectNone(in: content, "CharonCredentials.Content")
        planted.expectNone(in: [content], "an array of CharonCredentials.Content")
        for (command, message) in content.messages(for: connection) {
          planted.expectNone(in: message, command)
          planted.expectNone(in: VICIPacket.request(command: command, message), "VICIPacket")
        }
        let message = CharonMessages.connection(connection, content, ike: [], esp: [])
        planted.expectNone(in: message, "load-conn")
        planted.expectNone(in: Mirror(reflecting: message), "the mirror of load-conn")
      }
    }
  }

  @Test func inEveryFailureOfACharonThatKnowsThem() async throws {
    try await RealCharonGround.with { ground in
      let planted = try await Planted(ground)
      _ = try await ground.charon.connect { _ in }
      var failures = 0
      for kind in CharonSecret.allCases {
        do {
          try await ground.charon.apply(.load(try await connection(ground, kind)))
        } catch {
          failures += 1
          planted.expectNone(in: error, "the refusal of \(kind)")
        }
      }
      #expect(failures == CharonSecret.allCases.count - 2)
      try await ground.end()
      do {
        try await ground.charon.apply(.load(try await connection(ground, .psk)))
        Issue.record("there is no charon")
      } catch { planted.expectNone(in: error, "the failure of a call to nobody") }
      planted.expectNone(in: try ground.log(), "charon's log")
    }
  }

  @Test func inEventsStatesAndReports() async throws {
    try await RealCharonGround.with { ground in
      let planted = try await Planted(ground)
      let events = Recorder()
      let keeper = IKEKeeper(charon: ground.charon, events: events, surroundings: LinuxSurroundings())
      let words = Mutex<[IKENews.Word?]>([])
      let work = Task {
        await keeper.run(telling: .init(word: { _, word in words.withLock { $0.append(word) } }, negotiated: { _ in }))
      }
      var connections: [IKEConnection] = []
      for kind in CharonSecret.allCases { connections.append(try await connection(ground, kind)) }
      await keeper.want(connections, held: [])
      // Until each was loaded or refused.
      while await !keeper.current().values.allSatisfy({ $0.hasLoaded || $0.trouble != nil }) {
        try await Task.sleep(for: .milliseconds(5))
      }
      while events.all.count < CharonSecret.allCases.count - 2 { try await Task.sleep(for: .milliseconds(5)) }
      await keeper.reload()
      let machines = await keeper.current()
      work.cancel()
      await work.value

      #expect(machines.count == CharonSecret.allCases.count)
      for event in events.all { planted.expectNone(in: event, "event \(event.kind.rawValue)") }
      planted.expectNone(in: machines, "the machines")
      planted.expectNone(in: await keeper.status, "the status")
      planted.expectNone(in: words.withLock { $0 }, "what the watch is told")
      planted.expectNone(in: try report(on: connections, machines), "the report")
      planted.expectNone(in: try ground.log(), "charon's log")
    }
  }

  /// As the local socket returns it.
  private func report(on connections: [IKEConnection], _ machines: [Name: IKEMachine]) throws -> String {
    let hub = Hub(name: IKETestName.name("hub"), address: connections[0].remote)
    let wan = try #require(InterfaceName("wan0"))
    let profile = IPsecProfile(
      name: hub.name, authentication: .psk(file: nil), remoteID: connections[0].remoteID)
    let ruleSet = RuleSet(
      device: IKETestName.name("branch-017"), revision: 1, hubs: [hub], profiles: [profile],
      tunnels: connections.map {
        // A device's name has 15 characters.
        Tunnel(name: $0.tunnel, kind: .ipsec(profile: profile.name), hub: hub.name, uplink: wan)
      })
    let configuration = AgentConfiguration(
      device: ruleSet.device, ruleSet: .init(location: .file(path: "/nowhere")), uplinks: [.init(interface: wan)],
      lans: [])
    let layout = Layout(
      ruleSet, configuration, try #require(Layout.slots(ruleSet, configuration, after: SlotBook())))
    let reports = TunnelReports(
      layout, [:], [:], uplinks: [], traffic: [:], machines: machines, at: Instant(nanoseconds: 0)
    ).all
    #expect(reports.contains { $0.ike?.trouble != nil })
    return String(decoding: LocalAPI.encode(TunnelsReport(tunnels: reports)), as: UTF8.self)
  }
}
