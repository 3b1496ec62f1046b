import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// The sets of rules with domains, beside a resolver and a file in memory.
@Suite struct DomainKeeperTests {
  private final class Router: ResolverPort, ResolverListStore, FedSetPort {
    struct State {
      var answers: [DomainName: DomainQuestion.Answer] = [:]
      var isSilent = false
      var asked: [DomainName] = []
      var most = 0
      var file: String?
      var isReadOnly = false
      var saved = 0
      var sets: [String: Set<IPv4Address>] = [:]
    }
    let state = Mutex(State())
    let path = "/var/lib/backhaul/dnsmasq.conf"

    func ask(_ domains: [DomainName]) async throws(KernelFailure) -> [DomainName: DomainQuestion.Answer] {
      state.withLock { state in
        guard !state.isSilent else { return [:] }
        state.asked += domains
        state.most = max(state.most, domains.count)
        return state.answers.filter { domains.contains($0.key) }
      }
    }
    func load() throws(StoreFailure) -> String? { state.withLock { $0.file } }
    func save(_ text: String) throws(StoreFailure) {
      guard !state.withLock({ $0.isReadOnly }) else { throw StoreFailure(operation: "create it", cause: "read-only") }
      state.withLock { ($0.file, $0.saved) = (text, $0.saved + 1) }
    }
    func held(by set: String) throws(KernelFailure) -> [IPv4Address] {
      guard let held = state.withLock({ $0.sets[set] }) else {
        throw KernelFailure(operation: "nft list set", errno: 2, cause: "there is none")
      }
      return held.sorted { $0.value < $1.value }
    }
    func add(_ addresses: [IPv4Address], to set: String) throws(KernelFailure) {
      state.withLock { $0.sets[set, default: []].formUnion(addresses) }
    }
  }

  private let router = Router()
  private let address = IPv4Address(value: 0xc000_0207)

  private func rule(_ name: String, _ domains: [String]) throws -> SteeringRule {
    SteeringRule(
      name: try #require(Name(name)), match: SteeringMatch(domains: domains.compactMap { DomainName($0) }),
      action: .direct)
  }

  private func run(
    _ body: @Sendable (VirtualTime, DomainKeeper, WatchBench) async throws -> Void
  ) async throws {
    try await VirtualTime.run { time in
      let bench = try WatchBench()
      let keeper = DomainKeeper(
        resolver: router, store: router, sets: router, watch: bench.watch, table: "t", events: bench.events,
        surroundings: time)
      let work = Task(executorPreference: time) { await keeper.run() }
      try await body(time, keeper, bench)
      work.cancel()
      await time.settle()
    }
  }

  @Test func aRouterWithoutDomainsHasAnEmptyFileAndNoNews() async throws {
    try await run { time, keeper, bench in
      await keeper.follow([])
      await time.pass(.seconds(60))
      #expect(router.state.withLock { $0.file }?.hasPrefix("#") == true)
      #expect(bench.events.count(.resolverRestartNeeded) == 0)
      #expect(router.state.withLock { $0.asked } == [])
    }
  }

  @Test func theFileIsWrittenWhenItChanges() async throws {
    try await run { time, keeper, bench in
      let rules = [try rule("a", ["x.example"])]
      router.state.withLock { $0.sets = ["domains_a": [], "domains_b": []] }
      for _ in 0..<3 { await keeper.follow(rules) }
      #expect(router.state.withLock { $0.saved } == 1)
      #expect(bench.events.count(.resolverRestartNeeded) == 1)
      await keeper.follow(rules + [try rule("b", ["y.example"])])
      #expect(bench.events.count(.resolverRestartNeeded) == 2)
      router.state.withLock { $0.isReadOnly = true }
      await keeper.follow([])
      await keeper.follow([])
      #expect(bench.events.count(.storeFailed) == 1)
      #expect(bench.events.count(.resolverRestartNeeded) == 2)
      router.state.withLock { $0.isReadOnly = false }
      await time.pass(DomainKeeper.longestPause)
      #expect(bench.events.count(.resolverRestartNeeded) == 3, "tried again by itself")
    }
  }

  @Test func whatTheResolverKnowsGoesIntoEachSetAndIsRenewed() async throws {
    let domain = try #require(DomainName("x.example"))
    router.state.withLock { state in
      state.answers = [domain: .addresses([address])]
      state.sets = ["domains_a": [], "domains_b": []]
    }
    try await run { time, keeper, _ in
      await keeper.follow([try rule("a", ["x.example"]), try rule("b", ["example"])])
      await time.pass(.seconds(1))
      #expect(router.state.withLock { $0.sets } == ["domains_a": [address], "domains_b": [address]])
      let asked = router.state.withLock { $0.asked.count }
      #expect(asked == 2)
      await time.pass(DomainKeeper.renewal - .seconds(2))
      #expect(router.state.withLock { $0.asked.filter { $0 == domain } }.count == 1)
      await time.pass(.seconds(310))
      #expect(router.state.withLock { $0.asked.filter { $0 == domain } }.count == 2, "half of its time is over")
      // Somebody empties one.
      router.state.withLock { $0.sets["domains_a"] = [] }
      keeper.learnt(try #require(Name("a")), [])
      await time.pass(.seconds(1))
      #expect(router.state.withLock { $0.sets["domains_a"] } == [address])
    }
  }

  @Test func aSilentResolverIsToldOnceAndAskedAgain() async throws {
    let domain = try #require(DomainName("x.example"))
    router.state.withLock { state in
      state.answers = [domain: .addresses([address])]
      state.sets = ["domains_a": []]
      state.isSilent = true
    }
    try await run { time, keeper, bench in
      await keeper.follow([try rule("a", ["x.example"])])
      await time.pass(.seconds(3_600))
      #expect(bench.events.count(.resolverSilent) == 1)
      router.state.withLock { $0.isSilent = false }
      await time.pass(DomainKeeper.longestPause)
      #expect(bench.events.count(.resolverAnswers) == 1)
      #expect(router.state.withLock { $0.sets["domains_a"] } == [address])
    }
  }

  @Test func thousandsOfDomainsAreAskedForAFewAtATime() async throws {
    let names = (0..<4_096).map { "d\($0).example" }
    router.state.withLock { state in
      state.sets = ["domains_a": []]
      state.answers = Dictionary(
        uniqueKeysWithValues: names.compactMap { name in DomainName(name).map { ($0, .addresses([address])) } })
    }
    try await run { time, keeper, _ in
      await keeper.follow([try rule("a", names)])
      await time.pass(.seconds(60))
      #expect(router.state.withLock { Set($0.asked).count } == 4_096)
      #expect(router.state.withLock { $0.most } == DomainKeeper.together)
    }
  }
}
