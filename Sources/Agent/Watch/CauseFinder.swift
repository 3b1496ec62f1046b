internal import Core

/// Scouts each uplink, and says where the trouble of a path that is down lies. Confined to `PathWatch`, on its loop.
final class CauseFinder {
  struct Key: Hashable, Sendable {
    var uplink: InterfaceName
    var address: IPv4Address
  }

  /// What the watch knows besides.
  struct View {
    var plan: WatchPlan
    var health: [Name: PathHealth]
    /// Why a device cannot carry.
    var trouble: (InterfaceName) -> String?
    var keys: (WatchPlan.WatchedPath) -> String?
    var lastAnswer: (WatchPlan.WatchedPath) -> Instant?
  }

  /// One scout with its handle and its timer.
  private final class Posted {
    var scout: Scout
    var binding: ProbeBinding?
    var handle: (any OpenProbe)?
    var timer: TimerID?

    init(_ scout: Scout) { self.scout = scout }
  }

  private let loop: any EventLoop
  private let prober: any ProbePort
  private let meter: ProbeMeter
  private var posted: [Key: Posted] = [:]
  private var asked: [InterfaceName: Instant] = [:]
  /// When the last suspicion of a path began.
  private var suspicions: [Name: Instant] = [:]
  private var fire: @Sendable (Key) -> Void = { _ in }
  private(set) var diagnoses: [Name: Diagnosis] = [:]
  /// Uplinks that have targets of which none answers.
  private(set) var cutOff: Set<InterfaceName> = []
  private var doubted: Set<InterfaceName> = []

  /// Whoever suspects asks no more often than this, and whoever knows that a path is down than that: a lossy path is
  /// suspected all the time.
  private static let pauseOfSuspicion: Duration = .seconds(1)
  private static let pauseOfVerdict: Duration = .milliseconds(250)

  init(loop: any EventLoop, prober: any ProbePort, meter: ProbeMeter) {
    self.loop = loop
    self.prober = prober
    self.meter = meter
  }

  // MARK: - Whom to ask

  /// Takes a new plan. Who is asked by the same uplink as before keeps what was learnt.
  func follow(
    _ plan: WatchPlan, at now: Instant, fire: @escaping @Sendable (Key) -> Void,
    deliver: @escaping @Sendable (Key, UInt64, ProbeOutcome) -> Void
  ) {
    self.fire = fire
    var kept: [Key: Posted] = [:]
    for uplink in plan.uplinks where isUsed(uplink, in: plan) {
      guard let source = uplink.source else { continue }
      let binding = ProbeBinding(device: uplink.interface, mark: uplink.mark, source: source)
      for (address, role) in addresses(of: uplink, in: plan) {
        let key = Key(uplink: uplink.interface, address: address)
        if let known = kept[key] {
          known.scout.roles.insert(role)
          continue
        }
        let phase = Duration.milliseconds(20) * kept.count
        guard let entry = posted[key] ?? Scout(address, role, at: now, phase: phase).map(Posted.init) else { continue }
        entry.scout.roles = [role]
        if entry.binding != binding {
          entry.handle?.close()
          entry.scout.machine.socketChanged()
          entry.binding = binding
          entry.handle = prober.open(entry.scout.machine.probe, bound: binding) { deliver(key, $0, $1) }
        }
        kept[key] = entry
        schedule(entry, key)
      }
    }
    for (key, gone) in posted where kept[key] == nil { close(gone) }
    posted = kept
    cutOff = Set(plan.uplinks.map(\.interface).filter { outlook(of: $0).isCutOff })
    suspicions = suspicions.filter { name, _ in plan.paths.contains { $0.name == name } }
    diagnoses = diagnoses.filter { name, _ in plan.paths.contains { $0.name == name } }
  }

  func close() {
    for entry in posted.values { close(entry) }
    posted = [:]
  }

  private func close(_ entry: Posted) {
    entry.handle?.close()
    if let timer = entry.timer { loop.cancel(timer) }
  }

  /// A path leads over it, or a rule may fall back to it.
  private func isUsed(_ uplink: WatchPlan.WatchedUplink, in plan: WatchPlan) -> Bool {
    plan.paths.contains { $0.underlay == uplink.interface || $0.device == uplink.interface }
      || plan.rules.contains { watched in
        watched.underlays.contains(uplink.interface) || (watched.rule.fallback == .localWAN && !uplink.isPrivate)
      }
  }

  private func addresses(
    of uplink: WatchPlan.WatchedUplink, in plan: WatchPlan
  ) -> [(IPv4Address, Scout.Role)] {
    let hubs = plan.paths.filter { $0.underlay == uplink.interface }.compactMap(\.hub)
    return (uplink.gateway.map { [($0, .gateway)] } ?? []) + hubs.map { ($0, .hub) }
      + uplink.targets.map { ($0, .target) }
  }

  // MARK: - What they say

  private func schedule(_ entry: Posted, _ key: Key) {
    if let timer = entry.timer { loop.cancel(timer) }
    let fire = fire
    entry.timer = loop.at(entry.scout.machine.nextDeadline) { _ in fire(key) }
  }

  /// True where an uplink can or cannot be used any more because of it, or a doubt is over.
  func timePassed(to now: Instant, for key: Key) -> Bool {
    guard let entry = posted[key] else { return false }
    entry.timer = nil
    entry.scout.machine.stretch = meter.stretch(by: key.uplink, at: now)
    return changing(entry, key, at: now) {
      for directive in entry.scout.machine.timePassed(to: now) {
        switch directive {
        case .abandon(let number): entry.handle?.abandon(number)
        case .send(let number):
          meter.took(ProbeMeter.bytesOfScout, of: key.uplink, at: now)
          entry.handle?.send(number)
        }
      }
    }
  }

  /// As `timePassed`.
  func came(_ outcome: ProbeOutcome, of number: UInt64, for key: Key, at now: Instant) -> Bool {
    guard let entry = posted[key] else { return false }
    return changing(entry, key, at: now) {
      let evidence: ProbeMachine.Evidence =
        switch outcome {
        case .answered(let roundTrip): .answered(roundTrip: roundTrip)
        case .refused(let why): .refused(why)
        case .couldNotSend(let why): .couldNotSend(why)
        }
      if case .couldNotSend = outcome { meter.took(-ProbeMeter.bytesOfScout, of: key.uplink, at: now) }
      let answers = entry.scout.machine.window.answersInAll
      for case .abandon(let late) in entry.scout.machine.came(evidence, of: number, at: now) {
        entry.handle?.abandon(late)
      }
      guard entry.scout.machine.window.answersInAll > answers else { return }
      entry.scout.hasAnswered()
      // The answers that it needs to be trusted again follow at once.
      if entry.scout.machine.state == .down {
        entry.scout.machine.prompted(at: now, pause: Scout.interval / 5)
      }
    }
  }

  /// Uplinks by which someone did not answer as usual since this was asked last: every path over one of them is in doubt.
  func takeDoubted() -> Set<InterfaceName> {
    defer { doubted = [] }
    return doubted
  }

  private func changing(_ entry: Posted, _ key: Key, at now: Instant, _ body: () -> Void) -> Bool {
    let before = outlook(of: key.uplink)
    let state = entry.scout.machine.state
    body()
    schedule(entry, key)
    if entry.scout.machine.suspectedSince == now { doubted.insert(key.uplink) }
    // One who changed their mind may not be the only one.
    if entry.scout.machine.state != state && state != .unknown { ask(key.uplink, pause: Self.pauseOfVerdict, at: now) }
    let after = outlook(of: key.uplink)
    if after.isCutOff { cutOff.insert(key.uplink) } else { cutOff.remove(key.uplink) }
    return before.isCutOff != after.isCutOff || (before.doubt(at: now) == nil) != (after.doubt(at: now) == nil)
  }

  /// Uplinks that may be the trouble, and when that will be known at the latest.
  func doubts(at now: Instant) -> [InterfaceName: Instant] {
    let recent = asked.filter { now < $0.value + UplinkOutlook.longestDoubt }
    return Dictionary(
      recent.keys.compactMap { uplink in outlook(of: uplink).doubt(at: now).map { (uplink, $0) } },
      uniquingKeysWith: { first, _ in first })
  }

  func scouts(by uplink: InterfaceName) -> Int { posted.keys.count { $0.uplink == uplink } }

  func outlook(of uplink: InterfaceName) -> UplinkOutlook {
    let scouts = posted.filter { $0.key.uplink == uplink }.map(\.value.scout)
    return UplinkOutlook(
      scouts: scouts.sorted { ($0.roles.min() ?? .target, $0.address) < ($1.roles.min() ?? .target, $1.address) },
      asked: asked[uplink])
  }

  // MARK: - When to ask

  /// A probe of a path has no answer when it should have one.
  func suspected(_ path: WatchPlan.WatchedPath, at now: Instant) {
    suspicions[path.name] = now
    ask(path.underlay ?? path.device, pause: Self.pauseOfSuspicion, at: now)
  }

  /// A path went down. What was answered since it was suspected counts.
  func wentDown(_ path: WatchPlan.WatchedPath, at now: Instant) {
    let uplink = path.underlay ?? path.device
    let suspicion = suspicions.removeValue(forKey: path.name)
    if let last = asked[uplink], let suspicion, last >= suspicion { return }
    ask(uplink, pause: Self.pauseOfVerdict, at: now)
  }

  private func ask(_ uplink: InterfaceName, pause: Duration, at now: Instant) {
    if let last = asked[uplink], now < last + pause { return }
    asked[uplink] = now
    for (key, entry) in posted where key.uplink == uplink {
      entry.scout.machine.prompted(at: now, pause: Self.pauseOfVerdict)
      schedule(entry, key)
    }
  }

  /// The kernel has found nobody with this address, a gateway's, on the link.
  func neighbourFailed(_ address: IPv4Address, on uplink: InterfaceName, at now: Instant) {
    posted[Key(uplink: uplink, address: address)]?.scout.neighbourFailed()
    ask(uplink, pause: Self.pauseOfSuspicion, at: now)
  }

  // MARK: - What it means

  /// Looks at every path that is down; the events tell of each cause that is found or is another one by now.
  func review(_ view: View) -> [AgentEvent] {
    var events: [AgentEvent] = []
    for path in view.plan.paths {
      guard view.health[path.name]?.state == .down else {
        diagnoses[path.name] = nil
        continue
      }
      guard let evidence = evidence(on: path, view) else { continue }
      let diagnosis = Diagnosis(evidence)
      let before = diagnoses.updateValue(diagnosis, forKey: path.name)
      guard before?.cause != diagnosis.cause else { continue }
      events.append(
        AgentEvent(
          .causeFound, path.name.text, "path \(path.name) is down, \(diagnosis.summary)",
          details: [
            "cause": diagnosis.cause.rawValue, "evidence": diagnosis.words, "uplink": evidence.uplink?.text ?? "",
            "before": before?.cause.rawValue ?? "",
          ].filter { !$0.value.isEmpty }))
    }
    return events
  }

  /// Nil while it is not all in.
  private func evidence(on path: WatchPlan.WatchedPath, _ view: View) -> Diagnosis.Evidence? {
    let uplink = path.isTunnel ? path.underlay : path.device
    let keys = view.keys(path)
    let watched = view.plan.uplinks.first { $0.interface == uplink }
    if let uplink, let why = view.trouble(uplink) ?? watched?.obstacle.map({ "\(uplink): \($0)" }) {
      return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: uplink, obstacle: .uplink(why), keys: keys)
    }
    if let why = view.trouble(path.device) ?? path.obstacle {
      return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: uplink, obstacle: .tunnel(why), keys: keys)
    }
    guard let uplink else { return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: nil, keys: keys) }
    let outlook = outlook(of: uplink)
    guard outlook.isSettled else { return nil }
    let own = outlook.scouts.first { $0.address == path.hub }
    let carrying = view.plan.paths.first { other in
      other.name != path.name && other.isTunnel && other.underlay == uplink && other.hub != path.hub
        && [.up, .degraded].contains(view.health[other.name]?.state)
        && view.lastAnswer(other).map { $0 > outlook.asked ?? $0 } == true
    }
    return Diagnosis.Evidence(
      isTunnel: path.isTunnel, uplink: uplink,
      gateway: outlook.scouts.first { $0.roles.contains(.gateway) }?.witness, hub: own?.witness,
      internet: outlook.scouts.filter { !$0.roles.contains(.gateway) && $0.address != path.hub }.map(\.witness),
      carrying: carrying?.name, keys: keys)
  }
}
