import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// An agent's data plane over a kernel in memory: three uplinks, two LANs and another program's WireGuard device.
private final class Router: Sendable {
  let fake = FakeKernel()
  let events = RecordedEvents()
  let reconciler: Reconciler
  private let loop = VirtualLoop()
  private let watch: PathWatch
  private let work: Task<Void, Never>

  init(_ configuration: AgentConfiguration) throws {
    func device(_ text: String) throws -> InterfaceName { try #require(InterfaceName(text)) }
    let (wan0, wan1, line0) = (try device("wan0"), try device("wan1"), try device("line0"))
    let (lan0, lan1, wg0) = (try device("lan0"), try device("lan1"), try device("wg0"))
    let settings = [wan0, wan1, line0, wg0].map { InterfaceSetting($0, .reversePathFilter) }
    try fake.change("set up") { state in
      state.addLink(wan0, address: InterfaceAddress("198.51.100.2/24"))
      state.addLink(wan1, address: InterfaceAddress("192.0.2.2/24"))
      state.addLink(line0, address: InterfaceAddress("10.80.0.2/24"))
      state.addLink(lan0, address: InterfaceAddress("192.168.10.1/24"))
      state.addLink(lan1, address: InterfaceAddress("192.168.20.1/24"))
      state.addLink(wg0, address: InterfaceAddress("10.9.0.2/24"), isPointToPoint: true, mtu: 1420)
      for setting in settings { state.setSetting(setting, to: 1) }
      state.setMainDefaults([
        MainDefault(device: wan0, gateway: IPv4Address("198.51.100.1").map(Gateway.ipv4), metric: RouteMetric(100)),
        MainDefault(device: wan1, gateway: IPv4Address("192.0.2.1").map(Gateway.ipv4), metric: RouteMetric(200)),
      ])
    }
    let watch = PathWatch(
      loop: loop, prober: ScriptedProber(loop), flipper: fake, events: events, mask: configuration.kernel.markMask,
      chance: { 0 }, onSweep: { _ in })
    self.watch = watch
    let ike = IKEKeeper(charon: FakeCharon(isRunning: false), events: events, surroundings: StillSurroundings())
    let reconciler = Reconciler(
      kernel: fake, watch: watch, ike: ike, configuration: configuration, events: events,
      surroundings: StillSurroundings(), timeZone: FakeTimeZone())
    self.reconciler = reconciler
    work = Task { await reconciler.run() }
  }

  deinit { work.cancel() }

  /// Applies the rule set, lets a minute pass, and looks until nothing is left to do.
  func take(_ ruleSet: RuleSet, slots: SlotBook) async throws {
    // As if charon had SAs for all of them and had reported each tunnel's ESP overhead.
    let esp = try ESPEncapsulation(#require(ESPTransform(encryption: "AES_GCM_16", keyBits: 256)), isInUDP: false)
    let secured = ruleSet.tunnels.filter { $0.profile != nil }.map(\.name)
    await reconciler.negotiated(Dictionary(secured.map { ($0, esp) }) { first, _ in first })
    try await reconciler.apply(ruleSet, slots: slots)
    for tunnel in secured { await watch.keysChanged(of: tunnel, .up) }
    loop.advance(by: .seconds(60))
    try await rest()
  }

  func rest() async throws {
    await reconciler.look(because: .event("test"))
    for _ in 0..<2000 {
      try await Task.sleep(for: .milliseconds(2))
      if await reconciler.isIdle { return }
    }
    Issue.record("the reconciler does not come to rest")
  }

  /// Whether no further look is due: a device that traffic still uses is looked at again until the traffic has left it.
  func isAtRest() async throws -> Bool {
    for _ in 0..<1_000 {
      // While it looks there is no next look either.
      if await reconciler.retry == nil, await reconciler.isIdle { return true }
      try await Task.sleep(for: .milliseconds(20))
    }
    return false
  }

  /// Everything of ours in the kernel, and every setting, except counters.
  func picture() throws -> Picture {
    let actual = try fake.read(expecting: nil)
    return Picture(
      devices: actual.links.filter { $0.value.isOurs }.map { name, link in
        "\(name) up \(link.isUp) mtu \(link.mtu) \(link.alias ?? "") \(link.tunnel.map { "\($0)" } ?? "") "
          + "\(actual.addresses[name] ?? [])"
      }.sorted(),
      routes: actual.routes.map { "\($0.words) table \($0.table) metric \($0.metric)" }.sorted(),
      rules: actual.rules.map(PlanText.words).sorted(),
      table: actual.nftTable.map(words(of:)) ?? [],
      settings: actual.settings.map { "\($0.key) \($0.value)" }.sorted())
  }

  /// Without handles and without the order of named objects, which stay where they were when changed in place.
  private func words(of table: NftTable) -> [String] {
    [table.name, "flags \(table.flags)"] + table.counters.map { "counter \($0)" }
      + table.sets.map { "set \($0.name) \($0.ranges)" } + table.maps.map { "map \($0.name) \($0.kind) \($0.elements)" }
      + table.chains.map { chain in
        "chain \(chain.name) \(chain.hook.map { "\($0)" } ?? "") \(chain.rules.map(\.text))"
      }
  }

  struct Picture: Equatable {
    var devices: [String]
    var routes: [String]
    var rules: [String]
    var table: [String]
    var settings: [String]

    func differences(from other: Picture) -> [String] {
      func compare(_ mine: [String], _ others: [String]) -> [String] {
        Set(mine).subtracting(others).map { "only after the sequence: \($0)" }
          + Set(others).subtracting(mine).map { "only after a fresh start: \($0)" }
      }
      return compare(devices, other.devices) + compare(routes, other.routes) + compare(rules, other.rules)
        + compare(settings, other.settings) + compare(table, other.table)
    }
  }
}

@Suite("A sequence of rule sets")
struct RuleSetSequenceTests {
  /// The seed, printed with every failure; another one explores other sequences.
  static let seed: UInt64 = 20_261_130

  /// The same slots, because which number belongs to what is a matter of history, and live flows depend on it.
  private func check(_ sequence: [RuleSet], _ configuration: AgentConfiguration, _ note: String) async throws {
    let router = try Router(configuration)
    var slots = SlotBook()
    for ruleSet in sequence {
      slots = try #require(Layout.slots(ruleSet, configuration, after: slots))
      try await router.take(ruleSet, slots: slots)
    }
    #expect(try await router.isAtRest(), "it looks again and again: \(note)")
    let fresh = try Router(configuration)
    try await fresh.take(try #require(sequence.last), slots: slots)
    let differences = try router.picture().differences(from: fresh.picture())
    #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))\n\(note)")
  }

  #if SANITIZED
    private static let sequences: Range<UInt64> = 0..<15
  #else
    private static let sequences: Range<UInt64> = 0..<150
  #endif

  @Test("leaves the kernel as a fresh start with the last one would", arguments: sequences)
  func equalsAFreshStart(_ number: UInt64) async throws {
    var dice = RuleSetDice(seed: Self.seed &+ number)
    var sequence = [dice.first()]
    for _ in 0..<dice.count(1...7) { sequence.append(dice.next(after: sequence[sequence.count - 1])) }
    try await check(sequence, dice.configuration, "seed \(Self.seed &+ number)")
  }

  @Test("in which a rule is renamed leaves nothing of the old name")
  func ruleRenamed() async throws {
    var dice = RuleSetDice(seed: Self.seed)
    var first = dice.first()
    first.backhaulRules[0].enabled = true
    var second = first
    second.revision += 1
    second.backhaulRules[0].name = try #require(Name("renamed"))
    try await check([first, second], dice.configuration, "a rule renamed")
  }
}
