internal import Core
internal import RuleSets

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
    /// Answers come through it again, though not enough yet.
    var isReturning: (WatchPlan.WatchedPath) -> Bool
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
  /// The same, gateway first, then hubs, then targets.
  private var byUplink: [InterfaceName: [Posted]] = [:]
  private var asked: [InterfaceName: Instant] = [:]
  /// When the last suspicion of a path began.
  private var suspicions: [Name: Instant] = [:]
  private var fire: @Sendable (Key) -> Void = { _ in }
  private(set) var diagnoses: [Name: Diagnosis] = [:]
  /// Uplinks that have targets of which none answers.
  private(set) var cutOff: Set<InterfaceName> = []
  private var returned: Set<Key> = []

  /// Whoever suspects asks no more often than this, and whoever knows that a path is down than that: a lossy path is
  /// suspected all the time.
  private static let pauseOfSuspicion: Duration = .seconds(1)
  private static let pauseOfVerdict: Duration = .milliseconds(250)
  /// Where many tunnels go by one uplink: so many hubs besides the suspected one tell enough of the internet.
  private static let otherHubs = 3
  /// Where more than this are asked by one uplink, each is asked more seldom.
  private static let fewScouts = 6.0

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
    byUplink = Dictionary(grouping: kept, by: \.key.uplink).mapValues { entries in
      entries.map(\.value).sorted {
        ($0.scout.firstRole, $0.scout.address) < ($1.scout.firstRole, $1.scout.address)
      }
    }
    cutOff = Set(plan.uplinks.map(\.interface).filter { front(of: $0).isCutOff })
    suspicions = suspicions.filter { name, _ in plan.paths.contains { $0.name == name } }
    diagnoses = diagnoses.filter { name, _ in plan.paths.contains { $0.name == name } }
  }

  func close() {
    for entry in posted.values { close(entry) }
    posted = [:]
    byUplink = [:]
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
    return (uplink.gateway?.ipv4.map { [($0, .gateway)] } ?? []) + hubs.map { ($0, .hub) }
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
    entry.scout.machine.stretch = max(
      meter.stretch(by: key.uplink, at: now), Double(scouts(by: key.uplink)) / Self.fewScouts)
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

  var trackedFlows: Set<TrackedFlow> { Set(posted.values.compactMap { $0.handle?.flow }) }

  /// Why the silence of those whose connections are missing proves nothing; nil: it does.
  func hinder(_ why: String?, missing: Set<TrackedFlow>) {
    for entry in posted.values {
      entry.scout.machine.hindrance = entry.handle?.flow.map(missing.contains) ?? true ? why : nil
    }
  }

  /// Hubs that answer again since this was asked last, and by what.
  func takeReturned() -> Set<Key> {
    defer { returned = [] }
    return returned
  }

  private func changing(_ entry: Posted, _ key: Key, at now: Instant, _ body: () -> Void) -> Bool {
    let before = front(of: key.uplink)
    let state = entry.scout.machine.state
    body()
    schedule(entry, key)
    if state == .down && entry.scout.machine.state == .up { returned.insert(key) }
    // One who changed their mind may not be the only one.
    if entry.scout.machine.state != state && state != .unknown {
      ask(by: key.uplink, about: key.address, unlessSince: now - Self.pauseOfVerdict, at: now)
    }
    let after = front(of: key.uplink)
    if after.isCutOff { cutOff.insert(key.uplink) } else { cutOff.remove(key.uplink) }
    return before.isCutOff != after.isCutOff || (before.doubt(at: now) == nil) != (after.doubt(at: now) == nil)
  }

  /// Uplinks that may be the trouble, and when that will be known at the latest.
  func doubts(at now: Instant) -> [InterfaceName: Instant] {
    let recent = asked.filter { now < $0.value + UplinkOutlook.longestDoubt }
    return Dictionary(
      recent.keys.compactMap { uplink in front(of: uplink).doubt(at: now).map { (uplink, $0) } },
      uniquingKeysWith: { first, _ in first })
  }

  func scouts(by uplink: InterfaceName) -> Int { byUplink[uplink]?.count ?? 0 }

  func outlook(of uplink: InterfaceName) -> UplinkOutlook {
    UplinkOutlook(scouts: (byUplink[uplink] ?? []).map(\.scout), asked: asked[uplink])
  }

  /// The targets alone, who are few: on them hangs whether the uplink can be used.
  private func front(of uplink: InterfaceName) -> UplinkOutlook {
    UplinkOutlook(
      scouts: (byUplink[uplink] ?? []).map(\.scout).filter { $0.roles.contains(.target) }, asked: asked[uplink])
  }

  // MARK: - When to ask

  /// A probe of a path has no answer when it should have one.
  func suspected(_ path: WatchPlan.WatchedPath, at now: Instant) {
    suspicions[path.name] = now
    ask(by: path.underlay ?? path.device, about: path.hub, unlessSince: now - Self.pauseOfSuspicion, at: now)
  }

  /// A path went down. What was answered since it was suspected counts.
  func wentDown(_ path: WatchPlan.WatchedPath, at now: Instant) {
    let suspicion = suspicions.removeValue(forKey: path.name)
    ask(by: path.underlay ?? path.device, about: path.hub, unlessSince: suspicion ?? now - Self.pauseOfVerdict, at: now)
  }

  /// A path is up again: its hub, if it was silent, need not be shown so until its turn comes.
  func wentUp(_ path: WatchPlan.WatchedPath, at now: Instant) {
    guard let uplink = path.underlay, let hub = path.hub else { return }
    let key = Key(uplink: uplink, address: hub)
    guard let entry = posted[key], entry.scout.machine.state == .down else { return }
    entry.scout.machine.prompted(at: now, pause: Self.pauseOfVerdict)
    schedule(entry, key)
  }

  /// Asks gateway, targets and some hubs, unless they were asked since `instant`; and the hub that it is about.
  private func ask(by uplink: InterfaceName, about hub: IPv4Address?, unlessSince instant: Instant, at now: Instant) {
    let isNew = asked[uplink].map { $0 < instant } ?? true
    if isNew { asked[uplink] = now }
    var others = 0
    for entry in byUplink[uplink] ?? [] {
      if entry.scout.address == hub {
        if let last = entry.scout.asked, last >= instant { continue }
      } else {
        guard isNew else { continue }
        if entry.scout.roles == [.hub] { others += 1 }
        if entry.scout.roles == [.hub] && others > Self.otherHubs { continue }
      }
      entry.scout.asked = now
      entry.scout.machine.prompted(at: now, pause: Self.pauseOfVerdict)
      schedule(entry, Key(uplink: uplink, address: entry.scout.address))
    }
  }

  /// The kernel has found nobody with this address, a gateway's, on the link.
  func neighbourFailed(_ address: IPv4Address, on uplink: InterfaceName, at now: Instant) {
    posted[Key(uplink: uplink, address: address)]?.scout.neighbourFailed()
    ask(by: uplink, about: nil, unlessSince: now - Self.pauseOfSuspicion, at: now)
  }

  // MARK: - What it means

  /// Looks at every path that is down; the events tell of each cause that is found or is another one by now.
  func review(_ view: View) -> [AgentEvent] {
    var events: [AgentEvent] = []
    var scenes: [InterfaceName: Scene] = [:]
    for path in view.plan.paths {
      guard view.health[path.name]?.state == .down else {
        diagnoses[path.name] = nil
        continue
      }
      // What was found stays true of what was lost until the path is up.
      if diagnoses[path.name] != nil && view.isReturning(path) { continue }
      guard let evidence = evidence(on: path, view, &scenes) else { continue }
      let diagnosis = Diagnosis(evidence)
      let before = diagnoses.updateValue(diagnosis, forKey: path.name)
      guard before?.cause != diagnosis.cause else { continue }
      events.append(
        AgentEvent(
          .causeFound, path.name.text, "path \(path.name) is down, \(diagnosis.summary)",
          details: [
            "evidence": diagnosis.words, "uplink": evidence.uplink?.text ?? "",
            "before": before?.cause.rawValue ?? "",
          ].filter { !$0.value.isEmpty }, payload: .cause(diagnosis.cause)))
    }
    return events
  }

  /// What all paths over one uplink have in common.
  private struct Scene {
    var gateway: Scout?
    /// Targets and hubs that were asked last.
    var internet: [Scout]
    /// Tunnels that have carried an answer since then.
    var carrying: [WatchPlan.WatchedPath]
  }

  private func scene(of uplink: InterfaceName, _ view: View) -> Scene {
    let outlook = outlook(of: uplink)
    let asked = outlook.asked
    return Scene(
      gateway: outlook.scouts.first { $0.roles.contains(.gateway) },
      internet: outlook.scouts.filter { scout in
        !scout.roles.contains(.gateway) && (asked == nil || scout.asked.map { $0 >= asked ?? $0 } == true)
      },
      carrying: view.plan.paths.filter { path in
        path.isTunnel && path.underlay == uplink && [.up, .degraded].contains(view.health[path.name]?.state)
          && view.lastAnswer(path).map { $0 > asked ?? $0 } == true
      })
  }

  /// Nil while it is not all in.
  private func evidence(
    on path: WatchPlan.WatchedPath, _ view: View, _ scenes: inout [InterfaceName: Scene]
  ) -> Diagnosis.Evidence? {
    let uplink = path.isTunnel ? path.underlay : path.device
    let keys = view.keys(path)
    let watched = view.plan.uplinks.first { $0.interface == uplink }
    if let uplink, let why = view.trouble(uplink) ?? watched?.obstacle.map({ "\(uplink): \($0)" }) {
      return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: uplink, obstacle: .uplink(why), keys: keys)
    }
    if let why = path.obstacle ?? view.trouble(path.device) {
      return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: uplink, obstacle: .tunnel(why), keys: keys)
    }
    guard let uplink else { return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: nil, keys: keys) }
    let scene = scenes[uplink] ?? scene(of: uplink, view)
    scenes[uplink] = scene
    let own = path.hub.flatMap { posted[Key(uplink: uplink, address: $0)]?.scout }
    let internet = scene.internet.filter { $0.address != path.hub }
    guard ([scene.gateway, own].compactMap { $0 } + internet).allSatisfy(\.isSettled) else { return nil }
    return Diagnosis.Evidence(
      isTunnel: path.isTunnel, uplink: uplink, gateway: scene.gateway?.witness, hub: own?.witness,
      internet: internet.map(\.witness), carrying: scene.carrying.first { $0.hub != path.hub }?.name, keys: keys)
  }
}
