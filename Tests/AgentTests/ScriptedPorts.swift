import Core
internal import RuleSets
import Synchronization

@testable import Agent

/// Probes that answer, or not, as the test says for each device.
final class ScriptedProber: ProbePort {
  enum Behaviour: Sendable { case answers(Duration), silent, refuses(String), cannotSend(String) }

  private let behaviours = Mutex<[InterfaceName: Behaviour]>([:])
  private let silentTargets = Mutex<Set<IPv4Address>>([])
  /// Whether an ICMP probe's packets are one tracked connection.
  let tracks = Mutex(false)
  private let sent = Mutex<[(device: InterfaceName, mark: Mark, source: IPv4Address)]>([])
  private let loop: VirtualLoop

  init(_ loop: VirtualLoop) { self.loop = loop }

  func set(_ device: InterfaceName, _ behaviour: Behaviour) { behaviours.withLock { $0[device] = behaviour } }
  /// Nothing answers there, whatever its device does.
  func silence(_ targets: Set<IPv4Address>) { silentTargets.withLock { $0 = targets } }
  var probesSent: [(device: InterfaceName, mark: Mark, source: IPv4Address)] { sent.withLock { $0 } }

  func open(_ probe: Probe, bound: ProbeBinding, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void)
    -> any OpenProbe
  {
    let target: IPv4Address? = if case .icmp(let target) = probe.kind { target } else { nil }
    return Handle(prober: self, bound: bound, target: target, deliver: deliver)
  }

  private struct Handle: OpenProbe {
    let prober: ScriptedProber
    let bound: ProbeBinding
    let target: IPv4Address?
    let deliver: @Sendable (UInt64, ProbeOutcome) -> Void

    var flow: TrackedFlow? {
      guard let target, prober.tracks.withLock({ $0 }) else { return nil }
      return TrackedFlow(.icmp(identifier: 7), from: bound.source, to: target)
    }

    func send(_ number: UInt64) {
      prober.sent.withLock { $0.append((bound.device, bound.mark, bound.source)) }
      let deliver = deliver
      if let target, prober.silentTargets.withLock({ $0.contains(target) }) { return }
      switch prober.behaviours.withLock({ $0[bound.device] }) ?? .silent {
      case .silent: break
      case .answers(let roundTrip):
        _ = prober.loop.at(prober.loop.now + roundTrip) { _ in deliver(number, .answered(roundTrip: roundTrip)) }
      case .refuses(let why): prober.loop.enqueue { deliver(number, .refused(why)) }
      case .cannotSend(let why): prober.loop.enqueue { deliver(number, .couldNotSend(why)) }
      }
    }
    func abandon(_ number: UInt64) {}
    func close() {}
  }
}

/// Active routes in memory; refuses what the test says it must.
final class ScriptedFlipper: FlipPort {
  private struct State {
    var active: [TableID: TableRoute.Way] = [:]
    var log: [String] = []
    var failure: KernelFailure?
    var removalFailure: KernelFailure?
  }
  private let state = Mutex(State())

  var active: [TableID: TableRoute.Way] {
    get { state.withLock { $0.active } }
    set { state.withLock { $0.active = newValue } }
  }
  /// Each change that was asked for.
  var log: [String] { state.withLock { $0.log } }
  func fail(with failure: KernelFailure?) { state.withLock { $0.failure = failure } }
  func failRemovals(with failure: KernelFailure?) { state.withLock { $0.removalFailure = failure } }

  func activate(_ route: TableRoute) throws(KernelFailure) {
    try check()
    state.withLock {
      $0.active[route.table] = route.way
      if case .out(let device, _, _) = route.way { $0.log.append("\(route.table) → \(device)") }
    }
  }
  func deactivate(_ table: TableID) throws(KernelFailure) {
    try check()
    if let failure = state.withLock({ $0.removalFailure }) { throw failure }
    state.withLock {
      $0.active[table] = nil
      $0.log.append("\(table) → floor")
    }
  }
  func activeRoutes(of tables: Set<TableID>) throws(KernelFailure) -> [TableID: TableRoute.Way] {
    try check()
    return active.filter { tables.contains($0.key) }
  }
  private func check() throws(KernelFailure) {
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }
}

final class RecordedEvents: EventSink {
  private let events = Mutex<[AgentEvent]>([])
  func record(_ event: AgentEvent) { events.withLock { $0.append(event) } }
  func forget() { events.withLock { $0 = [] } }
  var all: [AgentEvent] { events.withLock { $0 } }
  func count(_ kind: AgentEvent.Kind) -> Int { all.count { $0.kind == kind } }
}

/// No time passes, and chance is always a half.
struct StillSurroundings: Surroundings {
  var now: Instant { Instant(nanoseconds: 0) }
  var wallTime: WallTime { WallTime(secondsSince1970: 0) }
  var chance: Double { 0.5 }
}
