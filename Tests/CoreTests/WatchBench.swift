internal import RuleSets
import Testing

@testable import Core

/// The machine of the watch over two tunnels and an uplink, on a virtual clock: its requests are carried out at once,
/// by lines, routes and a journal in memory.
final class WatchBench {
  let loop = Clock()
  let prober: Lines
  let flipper = Routes()
  let events = Journal()
  let watch: Watch

  let table = TableID(7910)
  let a: InterfaceName
  let b: InterfaceName
  let wan: InterfaceName

  init() throws {
    a = try #require(InterfaceName("bh-a"))
    b = try #require(InterfaceName("bh-b"))
    wan = try #require(InterfaceName("wan0"))
    prober = Lines(loop)
    watch = Watch(loop, prober, flipper, events)
  }

  var swept: [ConnectionSweep] { watch.swept }

  func link(up: Bool = true, carrier: Bool = true) -> Link {
    Link(index: InterfaceIndex(1), isUp: up, hasCarrier: carrier, mtu: 1476)
  }
  var links: [InterfaceName: Link] { [a: link(), b: link(), wan: link()] }

  func plan(
    fallback: Egress.Fallback = .localWAN, failback: Egress.Failback = .move,
    gateway: UInt32 = 0xc633_6401, secured: Bool = false, probed: Bool = true, preference: PathPreference = .inOrder
  ) throws -> WatchPlan {
    func path(_ name: String, _ device: InterfaceName, _ mark: UInt32) throws -> WatchPlan.WatchedPath {
      let name = try #require(Name(name))
      return .init(
        name: name, isTunnel: true, securedTunnel: secured ? name : nil, device: device, underlay: wan,
        mark: Mark(value: mark << 20), way: .out(device: device, gateway: nil), obstacle: nil,
        source: IPv4Address(value: 0x0a01_0101),
        probes: probed
          ? [
            Probe(
              name: name, path: name, kind: .icmp(target: IPv4Address(value: 0x0a01_0102)),
              interval: .milliseconds(100), timeout: .milliseconds(80), fall: 3, rise: 3)
          ] : [])
    }
    var rule = BackhaulRule(
      name: try #require(Name("office")), sources: Sources(prefixes: [try #require(IPv4Prefix("192.168.10.0/24"))]),
      paths: [try #require(Name("a")), try #require(Name("b"))], fallback: fallback, failback: failback,
      holdDown: .seconds(5))
    rule.egress.preference = preference
    return WatchPlan(
      paths: [try path("a", a, 2), try path("b", b, 3)],
      uplinks: [
        .init(
          interface: wan, tier: 1, mark: Mark(value: 4 << 20),
          way: .out(device: wan, gateway: .ipv4(IPv4Address(value: gateway))), obstacle: nil)
      ],
      rules: [
        .init(
          rule: rule, table: table, mark: Mark(value: 5 << 20), sources: AddressRanges.merged(rule.sources.prefixes))
      ], mask: .standard)
  }

  func goesBy(_ device: InterfaceName) -> Bool {
    if case .out(device, _, _)? = flipper.active[table] { true } else { false }
  }
  func kinds() -> [AgentEvent.Kind] { events.all.map(\.kind) }
}

extension WatchBench {
  /// Nothing happens until time passes, then everything in order.
  final class Clock {
    private(set) var now = Instant(nanoseconds: 0)
    private var later: [(due: Instant, order: Int, body: () -> Void)] = []
    private var planned = 0

    func at(_ due: Instant, _ body: @escaping () -> Void) {
      planned += 1
      later.append((due, planned, body))
    }

    func advance(by duration: Duration) {
      let end = now + duration
      while let next = later.indices.min(by: {
        (later[$0].due, later[$0].order) < (later[$1].due, later[$1].order)
      }), later[next].due <= end {
        let (due, _, body) = later.remove(at: next)
        now = max(now, due)
        body()
      }
      now = end
    }
  }

  /// Probes that are answered, or not, as the test says for each device.
  final class Lines {
    enum Behaviour { case answers(Duration), silent, refuses(String), cannotSend(String) }

    private var behaviours: [InterfaceName: Behaviour] = [:]
    private var silentTargets: Set<IPv4Address> = []
    /// Whether an ICMP probe's packets are one tracked connection.
    var tracks = false
    private(set) var probesSent: [ProbeBinding] = []
    private let clock: Clock

    init(_ clock: Clock) { self.clock = clock }

    func set(_ device: InterfaceName, _ behaviour: Behaviour) { behaviours[device] = behaviour }
    /// Nothing answers there, whatever its device does.
    func silence(_ targets: Set<IPv4Address>) { silentTargets = targets }

    func flow(_ use: (probe: Probe, binding: ProbeBinding)) -> TrackedFlow? {
      guard tracks, case .icmp(let target) = use.probe.kind else { return nil }
      return TrackedFlow(.icmp(identifier: 7), from: use.binding.source, to: target)
    }

    func send(_ use: (probe: Probe, binding: ProbeBinding), _ deliver: @escaping (ProbeOutcome) -> Void) {
      probesSent.append(use.binding)
      if case .icmp(let target) = use.probe.kind, silentTargets.contains(target) { return }
      switch behaviours[use.binding.device] ?? .silent {
      case .silent: break
      case .answers(let roundTrip):
        clock.at(clock.now + roundTrip) { deliver(.answered(roundTrip: roundTrip)) }
      case .refuses(let why): clock.at(clock.now) { deliver(.refused(why)) }
      case .cannotSend(let why): clock.at(clock.now) { deliver(.couldNotSend(why)) }
      }
    }
  }

  /// Active routes in memory; refuses what the test says it must.
  final class Routes {
    var active: [TableID: TableRoute.Way] = [:]
    /// Each change that was asked for.
    private(set) var log: [String] = []
    private var failure: String?
    private var removalFailure: String?

    func fail(with failure: String?) { self.failure = failure }
    func failRemovals(with failure: String?) { removalFailure = failure }

    /// Returns why it cannot be; nil: it is.
    func lead(_ table: TableID, _ way: TableRoute.Way?) -> String? {
      if let refusal = failure ?? (way == nil ? removalFailure : nil) { return refusal }
      active[table] = way
      if case .out(let device, _, _)? = way { log.append("\(table) → \(device)") }
      if way == nil { log.append("\(table) → floor") }
      return nil
    }

    /// Nil: they cannot be read.
    func read(_ tables: Set<TableID>) -> [TableID: TableRoute.Way]? {
      failure == nil ? active.filter { tables.contains($0.key) } : nil
    }
  }

  final class Journal {
    private(set) var all: [AgentEvent] = []
    func record(_ event: AgentEvent) { all.append(event) }
    func count(_ kind: AgentEvent.Kind) -> Int { all.count { $0.kind == kind } }
  }

  /// The machine, driven.
  final class Watch {
    private var machine = WatchMachine(.standard)
    private var effects: [WatchEffect] = []
    private let clock: Clock
    private let lines: Lines
    private let routes: Routes
    private let journal: Journal
    private(set) var swept: [ConnectionSweep] = []
    /// A socket that is opened again is a new one.
    private var openings: [Int: Int] = [:]
    private var timer = 0
    private var due: Instant?

    init(_ clock: Clock, _ lines: Lines, _ routes: Routes, _ journal: Journal) {
      (self.clock, self.lines, self.routes, self.journal) = (clock, lines, routes, journal)
    }

    func watch(_ plan: WatchPlan, links: [InterfaceName: Link], generation: UInt64) throws {
      let found = try #require(routes.read(Set(plan.rules.map(\.table))))
      turn {
        $0.follow(plan, links: links, generation: generation, routes: found, chance: { 0 }, at: clock.now)
      }
    }

    func linkChanged(_ name: InterfaceName, _ link: Link?) { turn { $0.linkChanged(name, link, at: clock.now) } }
    func keysChanged(of tunnel: Name, _ word: IKENews.Word?) {
      turn { $0.keysChanged(of: tunnel, word, at: clock.now) }
    }
    func force(_ forces: [Name: PathHealth.Force]) { turn { $0.force(forces, at: clock.now) } }
    func inspect() { turn { $0.inspect() } }
    func counted(_ traffic: [InterfaceName: Traffic]) { turn { $0.counted(traffic, at: clock.now) } }
    func neighbourFailed(_ address: IPv4Address, on device: InterfaceName) {
      turn { $0.neighbourFailed(address, on: device, at: clock.now) }
    }
    func connectionTableChanged(isFull: Bool, missing: Set<TrackedFlow>) {
      turn { $0.connectionTableChanged(isFull: isFull, missing: missing) }
    }
    func snapshot() -> WatchSnapshot { machine.snapshot(at: clock.now) { _, _ in true } }
    func history(of path: Name) -> PathHistory? { machine.history(of: path) }
    var linkGeneration: UInt64 { machine.linkGeneration }
    var awaitsTraffic: Bool { machine.awaitsTraffic }
    var trackedFlows: Set<TrackedFlow> { machine.trackedFlows }
    var devicesInUse: Set<InterfaceName> { machine.devicesInUse }

    private func turn(_ body: (inout WatchMachine) -> Void) {
      body(&machine)
      while machine.takeEffects(&effects) {
        for effect in effects { act(effect) }
      }
      guard machine.nextDeadline != due else { return }
      due = machine.nextDeadline
      timer += 1
      let mine = timer
      guard let due else { return }
      clock.at(due) { [unowned self] in
        guard mine == timer else { return }
        self.due = nil
        turn { $0.timePassed(to: clock.now) }
      }
    }

    private func act(_ effect: WatchEffect) {
      switch effect {
      case .open(let socket):
        openings[socket, default: 0] += 1
        if let use = machine.use(of: socket) { machine.opened(socket, flow: lines.flow(use)) }
      case .close(let socket): openings[socket, default: 0] += 1
      case .send(let socket, let number): send(number, by: socket)
      case .abandon: break
      case .lead(let egress, let table, let way):
        if let refusal = routes.lead(table, way) {
          machine.notLed(egress: egress, refusal, at: clock.now)
        } else {
          machine.led(egress: egress, at: clock.now)
        }
      case .leave(let table): _ = routes.lead(table, nil)
      case .look(let tables):
        if let found = routes.read(tables) {
          machine.sawRoutes(found, at: clock.now)
        } else {
          machine.sawNoRoutes("no buffer", at: clock.now)
        }
      case .sweep(let sweep): swept.append(sweep)
      case .tell(let event): journal.record(event)
      }
    }

    private func send(_ number: UInt64, by socket: Int) {
      guard let use = machine.use(of: socket) else { return }
      let opening = openings[socket]
      lines.send(use) { [unowned self] outcome in
        guard openings[socket] == opening else { return }
        turn { $0.came(outcome, of: number, by: socket, at: clock.now) }
      }
    }
  }
}
