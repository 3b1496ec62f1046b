import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// A keeper over a charon in memory, in virtual time.
final class IKEBench: Sendable {
  let time: VirtualTime
  let charon: FakeCharon
  let events = RecordedEvents()
  let keeper: IKEKeeper
  private let told = Mutex(Told())
  private let work: Task<Void, Never>

  private struct Told {
    var words: [(Name, IKENews.Word?)] = []
    var negotiated: [[Name: ESPEncapsulation]] = []
  }

  private init(_ time: VirtualTime, _ charon: FakeCharon) {
    self.time = time
    self.charon = charon
    let keeper = IKEKeeper(charon: charon, events: events, surroundings: time)
    self.keeper = keeper
    let (words, inbox) = AsyncStream.makeStream(of: (Name, IKENews.Word?).self)
    let (costs, costsInbox) = AsyncStream.makeStream(of: [Name: ESPEncapsulation].self)
    (self.words, self.costs) = (words, costs)
    work = Task(executorPreference: time) {
      await keeper.run(telling: .init(word: { inbox.yield(($0, $1)) }, negotiated: { costsInbox.yield($0) }))
      inbox.finish()
      costsInbox.finish()
    }
  }

  private let words: AsyncStream<(Name, IKENews.Word?)>
  private let costs: AsyncStream<[Name: ESPEncapsulation]>

  /// Runs a test's body; the keeper works until its end.
  static func run(
    charonRuns: Bool = true, _ body: @Sendable (IKEBench) async throws -> Void
  ) async throws {
    try await VirtualTime.run { time in
      let bench = IKEBench(time, FakeCharon(isRunning: charonRuns, clock: { time.now }))
      await time.settle()
      let record = Task(executorPreference: time) {
        for await word in bench.words { bench.told.withLock { $0.words.append(word) } }
      }
      let recordCosts = Task(executorPreference: time) {
        for await cost in bench.costs { bench.told.withLock { $0.negotiated.append(cost) } }
      }
      defer { bench.work.cancel() }
      try await body(bench)
      bench.work.cancel()
      _ = await (record.value, recordCosts.value)
    }
  }

  // MARK: What is wanted

  static func connection(
    _ name: String = "fra-a", local: String = "192.0.2.2", psk: String = "/secrets/fra", inUDP: Bool = false
  ) throws -> IKEConnection {
    IKEConnection(
      tunnel: try #require(Name(name)), mode: .tunnel(interfaceID: 0x20_0000),
      local: try #require(IPv4Address(local)), remote: try #require(IPv4Address("203.0.113.2")),
      localID: try #require(IKEIdentity("branch-017")), remoteID: try #require(IKEIdentity("hub.example")),
      credentials: .psk(file: psk), isAlwaysInUDP: inUDP)
  }

  func want(_ connections: IKEConnection..., held: Set<Name> = []) async {
    await keeper.want(connections, held: held)
    await time.settle()
  }

  /// A tunnel whose SA is up.
  func bringUp(_ connections: IKEConnection...) async {
    await keeper.want(connections, held: [])
    await time.pass(.seconds(2))
  }

  // MARK: What was seen

  /// In an operator's words: `load fra-a`.
  var steps: [String] {
    get async {
      await charon.log.map { step in
        switch step {
        case .load(let connection): "load \(connection.tunnel)"
        case .unload(let tunnel): "unload \(tunnel)"
        case .initiate(let tunnel): "initiate \(tunnel)"
        case .terminate(let tunnel): "terminate \(tunnel)"
        }
      }
    }
  }

  /// As the watch was told: `fra-a up`.
  var said: [String] {
    told.withLock { told in
      told.words.map { name, word in
        let text: String =
          switch word {
          case .unknown?: "unknown"
          case .pending?: "pending"
          case .up?: "up"
          case .down(let why)?: "down: \(why)"
          case nil: "is no more"
          }
        return "\(name) \(text)"
      }
    }
  }

  var costsTold: [[Name: ESPEncapsulation]] { told.withLock { $0.negotiated } }

  func forget() async {
    await charon.forgetLog()
    events.forget()
    told.withLock { $0 = Told() }
  }

  func texts(_ kinds: AgentEvent.Kind...) -> [String] {
    events.all.filter { kinds.isEmpty || kinds.contains($0.kind) }.map(\.text)
  }
}
