import Core
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// A watch over two tunnels and an uplink, on a virtual clock.
final class WatchBench: Sendable {
  let loop = VirtualLoop()
  let prober: ScriptedProber
  let flipper = ScriptedFlipper()
  let events = RecordedEvents()
  let watch: PathWatch

  let table = TableID(7910)
  let a: InterfaceName
  let b: InterfaceName
  let wan: InterfaceName

  init() throws {
    a = try #require(InterfaceName("bh-a"))
    b = try #require(InterfaceName("bh-b"))
    wan = try #require(InterfaceName("wan0"))
    let prober = ScriptedProber(loop)
    self.prober = prober
    let sweeps = SweepBox()
    self.box = sweeps
    watch = PathWatch(
      loop: loop, prober: prober, flipper: flipper, events: events, mask: .standard, chance: { 0 },
      onSweep: { sweep in sweeps.list.withLock { $0.append(sweep) } })
  }
  private let box: SweepBox
  private final class SweepBox: Sendable { let list = Mutex<[ConnectionSweep]>([]) }
  var swept: [ConnectionSweep] { box.list.withLock { $0 } }

  func link(up: Bool = true, carrier: Bool = true) -> Link {
    Link(index: InterfaceIndex(1), isUp: up, hasCarrier: carrier, mtu: 1476)
  }
  var links: [InterfaceName: Link] { [a: link(), b: link(), wan: link()] }

  func plan(
    fallback: Egress.Fallback = .localWAN, failback: Egress.Failback = .move,
    gateway: UInt32 = 0xc633_6401, secured: Bool = false, probed: Bool = true
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
    let rule = BackhaulRule(
      name: try #require(Name("office")), sources: Sources(prefixes: [try #require(IPv4Prefix("192.168.10.0/24"))]),
      paths: [try #require(Name("a")), try #require(Name("b"))], fallback: fallback, failback: failback,
      holdDown: .seconds(5))
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
