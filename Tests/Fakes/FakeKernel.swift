package import Agent
package import Core
import Glibc
package import RuleSets
import Synchronization

/// A kernel in memory that refuses what Linux refuses. Each step works on a copy, which takes its place only on success.
package final class FakeKernel: KernelPort, FlipPort, TrafficPort, LookupPort, ForeignPort, SightPort {
  let state: Mutex<FakeState>
  private let ranges: KernelRanges

  package init(_ ranges: KernelRanges = KernelRanges()) {
    self.ranges = ranges
    state = Mutex(FakeState(ranges))
  }

  package func read(expecting: (ActualState) -> NftTable?) throws(KernelFailure) -> ActualState {
    state.withLock { $0.read(expecting: expecting) }
  }

  package func apply(_ step: Step) throws(KernelFailure) {
    try change(PlanText(ranges).lines(step).first ?? "\(step)") { (state) throws(FakeRefusal) in try state.apply(step) }
  }

  package func rememberedSettings() -> RememberedSettings {
    state.withLock { RememberedSettings(values: $0.remembered) }
  }

  package func sweep(_ sweeps: [ConnectionSweep], mask: MarkMask) throws(KernelFailure) -> [Int?] {
    state.withLock { state in
      var walk = SweepWalk(sweeps, mask: mask, own: Set(state.addresses.values.joined().map(\.address)))
      state.connections = state.connections.compactMap { connection in
        switch walk.fate(of: connection.seen) {
        case .stays: return connection
        case .goes: return nil
        case .moves(let mark):
          var moved = connection
          moved.mark = Mark(value: connection.mark.value & ~mask.bits | mark.value)
          return moved
        }
      }
      return walk.counts
    }
  }

  // MARK: FlipPort

  package func activate(_ route: TableRoute) throws(KernelFailure) {
    try change(PlanText(ranges).lines(.putRoute(route)).first ?? "") { (state) throws(FakeRefusal) in
      try state.put(route)
    }
  }

  package func deactivate(_ table: TableID) throws(KernelFailure) {
    state.withLock { state in
      state.routes.removeAll {
        $0.isOurs && $0.route.table == table && $0.route.destination == .all && $0.route.metric == .active
      }
    }
  }

  package func activeRoutes(of tables: Set<TableID>) throws(KernelFailure) -> [TableID: TableRoute.Way] {
    state.withLock { state in
      let active = state.routes.filter {
        $0.isOurs && $0.route.destination == .all && $0.route.metric == .active && tables.contains($0.route.table)
      }
      return Dictionary(active.map { ($0.route.table, $0.route.way) }, uniquingKeysWith: { first, _ in first })
    }
  }

  // MARK: TrafficPort

  package func traffic() throws(KernelFailure) -> [InterfaceName: Traffic] { state.withLock { $0.traffic } }

  // MARK: LookupPort

  package func lookup(_ question: LookupQuestion) throws(KernelFailure) -> LookupAnswer {
    let (state, mainRoutes) = state.withLock { ($0.withForeign, $0.mainRoutes) }
    if let incoming = question.incoming, state.links[incoming] == nil {
      throw KernelFailure(operation: "ip route get", errno: ENODEV, cause: "there is no device \(incoming)")
    }
    let walk = RouteWalk(state, mainRoutes: mainRoutes)
    let (answer, stage) = walk.answer(
      .init(
        destination: question.destination, source: question.source, incoming: question.incoming, mark: question.mark))
    var packet = Packet(incoming: question.incoming, source: question.source, destination: question.destination)
    packet.mark = question.mark
    switch answer {
    case .local: return .local
    case .unreachable, .noRoute: return .unreachable
    case .out(let device, let gateway):
      if let incoming = question.incoming, !walk.accepts(packet, from: incoming, leavingBy: device) { return .spoofed }
      guard case .lookup(let rule, _) = stage, case .lookup(let table, _) = rule.action else { return .unreachable }
      return .out(device, gateway: gateway, table: table)
    }
  }

  package func mainRoutes(to addresses: [IPv4Address]) throws(KernelFailure) -> [TableRoute] {
    state.withLock { state in
      let connected = state.addresses.flatMap { device, addresses in
        addresses.map {
          TableRoute(
            table: .main, destination: $0.subnet, metric: RouteMetric(0),
            way: .out(device: device, gateway: nil, terms: RouteTerms(source: $0.address)))
        }
      }
      return (connected + state.mainRoutes).filter { route in
        route.destination != .all && addresses.contains(where: route.destination.contains)
      }
    }
  }

  // MARK: SightPort

  package func network(tables: Set<TableID>) throws(KernelFailure) -> SeenNetwork {
    try check("ip rule")
    return state.withLock { state in
      let routes = state.routes.filter { !$0.isOurs && tables.contains($0.route.table) }.map {
        ForeignRoute(table: $0.route.table, destination: $0.route.destination, origin: RouteProtocol(77))
      }
      return SeenNetwork(addresses: state.addresses, rules: state.foreignRules, routes: routes)
    }
  }

  package func answer(to question: LookupQuestion) throws(KernelFailure) -> LookupAnswer { try lookup(question) }

  package func deadEnd() throws(KernelFailure) -> DeadEnd? {
    state.withLock { state in
      guard let end = state.deadEnds.min(by: { $0.metric < $1.metric }), end.device == nil,
        state.mainDefaults.allSatisfy({ end.metric < $0.metric })
      else { return nil }
      return end
    }
  }

  package func ipv6() throws(KernelFailure) -> SeenIPv6 { state.withLock { $0.ipv6 } }

  /// Its IPv6 has no routes: lookups return what a test has set.
  package func answer(to question: IPv6Question) throws(KernelFailure) -> IPv6Question.Answer {
    state.withLock { $0.ipv6Answers[question.incoming] ?? .refused }
  }

  package func grounds(for question: LookupQuestion) throws(KernelFailure) -> SeenGrounds {
    let forwarding = state.withLock { state in
      question.incoming.map { state.settings[InterfaceSetting($0, .forwarding)] != 0 } ?? true
    }
    return SeenGrounds(entry: entry(for: question), isForwarded: forwarding)
  }

  private func entry(for question: LookupQuestion) -> IPv4Prefix? {
    let (state, mainRoutes) = state.withLock { ($0.withForeign, $0.mainRoutes) }
    let (answer, stage) = RouteWalk(state, mainRoutes: mainRoutes).answer(
      .init(
        destination: question.destination, source: question.source, incoming: question.incoming, mark: question.mark))
    guard case .out = answer, case .lookup(_, let route) = stage else { return nil }
    return route?.destination
  }

  package func offloadedMarks(_ mask: MarkMask) throws(KernelFailure) -> Set<Mark> {
    try check("conntrack -L")
    return state.withLock { state in
      Set(state.connections.filter(\.isOffloaded).map { Mark(value: $0.mark.value & mask.bits) })
    }
  }

  package func counted(in chains: [String]) throws(KernelFailure) -> SeenCounts {
    try check("nft list chain")
    return state.withLock { state in
      let there = Set(
        state.nftTable?.chains.filter { $0.rules.contains { $0.actions.contains(.count) } }.map(\.name) ?? [])
      return SeenCounts(
        packets: Dictionary(
          chains.filter(there.contains).map { ($0, state.counts[$0] ?? state.nft?.counted(in: $0) ?? 0) },
          uniquingKeysWith: { first, _ in first }),
        generation: state.generation)
    }
  }

  package func filters() throws(KernelFailure) -> SeenFilters { state.withLock { $0.filters } }

  private func check(_ operation: String) throws(KernelFailure) {
    if state.withLock({ $0.isBlind }) {
      throw KernelFailure(operation: operation, errno: 1, cause: "Operation not permitted")
    }
  }

  // MARK: ForeignPort

  package func foreign() throws(KernelFailure) -> ForeignObjects {
    state.withLock { state in
      var foreign = state.foreign
      foreign.rules = state.foreignRules
      foreign.routes = state.routes.filter { !$0.isOurs && ranges.tables.contains($0.route.table.value) }.map {
        ForeignRoute(table: $0.route.table, destination: $0.route.destination, origin: RouteProtocol(77))
      }
      return foreign
    }
  }

  // MARK: What an operator does

  /// Changes what is foreign, as tests need it. All of it happens or nothing.
  package func change(
    _ operation: String, _ body: (inout FakeState) throws(FakeRefusal) -> Void
  ) throws(KernelFailure) {
    try state.withLock { (state) throws(KernelFailure) in
      var copy = state
      do throws(FakeRefusal) { try body(&copy) } catch {
        throw KernelFailure(operation: operation, errno: error.errno, cause: error.cause)
      }
      if copy.nftTable != state.nftTable || copy.filters != state.filters { copy.generation &+= 1 }
      state = copy
    }
  }

  package var connections: [FakeConnection] {
    get { state.withLock { $0.connections } }
    set { state.withLock { $0.connections = newValue } }
  }
}

/// Why the fake refused: what Linux answers.
package struct FakeRefusal: Error, Equatable, Sendable {
  package var errno: Int32
  package var cause: String

  package init(_ errno: Int32, _ cause: String) {
    self.errno = errno
    self.cause = cause
  }

  static func foreign(_ what: String) -> FakeRefusal { FakeRefusal(0, "\(what) is not ours: left alone") }
}

/// An entry of the connection table.
package struct FakeConnection: Equatable, Sendable {
  package var source: IPv4Address
  package var mark: Mark
  /// It left by an uplink with the uplink's address.
  package var isTranslated: Bool
  /// That address, where a test asks for it.
  package var leftAs: IPv4Address?
  package var isAnswered: Bool
  package var isOffloaded = false

  package init(
    source: IPv4Address, mark: Mark, isTranslated: Bool, leftAs: IPv4Address? = nil, isAnswered: Bool = true
  ) {
    self.source = source
    self.mark = mark
    self.isTranslated = isTranslated || leftAs != nil
    self.leftAs = leftAs
    self.isAnswered = isAnswered
  }

  /// It leads nowhere.
  fileprivate var seen: SweepWalk.Connection {
    let uplink = IPv4Address(value: source.value ^ 1)
    return SweepWalk.Connection(
      mark: mark, source: source, destination: IPv4Address(value: 0),
      repliesTo: isTranslated ? leftAs ?? uplink : source, isAnswered: isAnswered)
  }
}
