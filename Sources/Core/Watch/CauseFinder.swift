internal import RuleSets

/// Scouts each uplink, and says where the trouble of a path that is down lies.
struct CauseFinder: Sendable {
  struct Key: Hashable, Sendable {
    var uplink: InterfaceName
    var address: IPv4Address
  }

  /// What the watch knows besides.
  struct View {
    var index: WatchIndex
    /// Of each path.
    var health: [PathHealth]
    var circumstances: PathCircumstances
    var probes: [WatchedProbe]

    func lastAnswer(of path: Int) -> Instant? { index.probes[path].compactMap { probes[$0].machine.lastAnswer }.max() }

    /// Answers come through it again, though not enough yet.
    func isReturning(_ path: Int) -> Bool {
      index.probes[path].contains { probes[$0].machine.state == .down && probes[$0].machine.answered > 0 }
    }
  }

  /// One scout, and what it is sent by.
  private struct Posted {
    let key: Key
    var scout: Scout
    let socket: Int
    var binding: ProbeBinding?
    var flow: TrackedFlow?
  }

  private var posted: [Posted] = []
  private var numbers: [Key: Int] = [:]
  /// The same, gateway first, then hubs, then targets.
  private var byUplink: [InterfaceName: [Int]] = [:]
  /// When each of `posted` is due.
  private var schedule = ProbeSchedule()
  private var asked: [InterfaceName: Instant] = [:]
  /// When the last suspicion of a path began.
  private var suspicions: [Name: Instant] = [:]
  private(set) var diagnoses: [Name: Diagnosis] = [:]
  /// Uplinks that have targets of which none answers.
  private(set) var cutOff: Set<InterfaceName> = []
  private var returned: Set<Key> = []

  /// A suspicion triggers pings no more often than the first, and a known outage than the second: a lossy path is
  /// suspected all the time.
  private static let pauseOfSuspicion: Duration = .seconds(1)
  private static let pauseOfVerdict: Duration = .milliseconds(250)
  /// If many tunnels use one uplink, this many hubs besides the suspected one say enough about the internet.
  private static let otherHubs = 3
  /// If more than this are pinged over one uplink, each is pinged less often.
  private static let fewScouts = 6.0

  // MARK: - Whom to ask

  /// Takes a new plan. An address that is pinged over the same uplink as before keeps what was learnt.
  mutating func follow(
    _ index: WatchIndex, _ sockets: inout SocketBook, _ effects: inout [WatchEffect], at now: Instant
  ) {
    let plan = index.plan
    var kept: [Posted] = []
    var places: [Key: Int] = [:]
    for uplink in plan.uplinks where isUsed(uplink, in: plan) {
      guard let source = uplink.source else { continue }
      let binding = ProbeBinding(device: uplink.interface, mark: uplink.mark, source: source)
      for (address, role) in addresses(of: uplink, in: plan) {
        let key = Key(uplink: uplink.interface, address: address)
        if let known = places[key] {
          kept[known].scout.roles.insert(role)
          continue
        }
        let phase = Duration.milliseconds(20) * kept.count
        guard
          var entry = numbers[key].map({ posted[$0] })
            ?? Scout(address, role, at: now, phase: phase).map({ Posted(key: key, scout: $0, socket: sockets.add()) })
        else { continue }
        entry.scout.roles = [role]
        if entry.binding != binding {
          if entry.binding != nil { effects.append(.close(socket: entry.socket)) }
          entry.scout.machine.socketChanged()
          (entry.binding, entry.flow) = (binding, nil)
          effects.append(.open(socket: entry.socket))
        }
        places[key] = kept.count
        kept.append(entry)
      }
    }
    for gone in posted where places[gone.key] == nil {
      effects.append(.close(socket: gone.socket))
      sockets.remove(gone.socket)
    }
    (posted, numbers) = (kept, places)
    arrange(plan, &sockets)
  }

  private mutating func arrange(_ plan: WatchPlan, _ sockets: inout SocketBook) {
    schedule = ProbeSchedule()
    for number in posted.indices {
      sockets.gave(posted[number].socket, to: .scout(number))
      reschedule(number)
    }
    byUplink = Dictionary(grouping: posted.indices, by: { posted[$0].key.uplink }).mapValues { numbers in
      numbers.sorted {
        let (left, right) = (posted[$0].scout, posted[$1].scout)
        return (left.firstRole, left.address) < (right.firstRole, right.address)
      }
    }
    cutOff = Set(plan.uplinks.map(\.interface).filter { front(of: $0).isCutOff })
    let names = Set(plan.paths.map(\.name))
    suspicions = suspicions.filter { names.contains($0.key) }
    diagnoses = diagnoses.filter { names.contains($0.key) }
  }

  /// Nothing is pinged any more.
  mutating func close(_ effects: inout [WatchEffect]) {
    for number in posted.indices where posted[number].binding != nil {
      effects.append(.close(socket: posted[number].socket))
      posted[number].binding = nil
    }
    schedule = ProbeSchedule()
  }

  /// A path leads over it, or a rule may fall back to it.
  private func isUsed(_ uplink: WatchPlan.WatchedUplink, in plan: WatchPlan) -> Bool {
    plan.paths.contains { $0.underlay == uplink.interface || $0.device == uplink.interface }
      || EgressPlan.all(plan).contains { watched in
        watched.underlays.contains(uplink.interface) || (watched.egress.fallback == .localWAN && !uplink.isPrivate)
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

  var count: Int { posted.count }
  /// When a scout is due.
  var nextDeadline: Instant? { schedule.next }
  func due(at now: Instant) -> Int? { schedule.due(at: now) }
  func use(of scout: Int) -> (probe: Probe, binding: ProbeBinding)? {
    posted[scout].binding.map { (posted[scout].scout.machine.probe, $0) }
  }
  mutating func opened(_ scout: Int, flow: TrackedFlow?) { posted[scout].flow = flow }

  private mutating func reschedule(_ number: Int) {
    schedule.set(number, at: posted[number].scout.machine.nextDeadline)
  }

  /// True if an uplink can or cannot be used any more because of it, or a doubt is over.
  mutating func timePassed(
    to now: Instant, _ number: Int, _ meter: inout ProbeMeter, _ effects: inout [WatchEffect]
  ) -> Bool {
    let uplink = posted[number].key.uplink
    let before = standing(of: number, at: now)
    posted[number].scout.machine.stretch = max(
      meter.stretch(by: uplink, at: now), Double(scouts(by: uplink)) / Self.fewScouts)
    for directive in posted[number].scout.machine.timePassed(to: now) {
      switch directive {
      case .abandon(let late): effects.append(.abandon(socket: posted[number].socket, late))
      case .send(let probe):
        meter.took(ProbeMeter.bytesOfScout, of: uplink, at: now)
        effects.append(.send(socket: posted[number].socket, probe))
      }
    }
    return settle(number, before, at: now)
  }

  /// As `timePassed`.
  mutating func came(
    _ outcome: ProbeOutcome, of probe: UInt64, to number: Int, _ meter: inout ProbeMeter,
    _ effects: inout [WatchEffect], at now: Instant
  ) -> Bool {
    let before = standing(of: number, at: now)
    if case .couldNotSend = outcome { meter.took(-ProbeMeter.bytesOfScout, of: posted[number].key.uplink, at: now) }
    let answers = posted[number].scout.machine.window.answersInAll
    for case .abandon(let late) in posted[number].scout.machine.came(outcome, of: probe, at: now) {
      effects.append(.abandon(socket: posted[number].socket, late))
    }
    if posted[number].scout.machine.window.answersInAll > answers {
      posted[number].scout.hasAnswered()
      // The answers that it needs to be trusted again follow at once.
      if posted[number].scout.machine.state == .down {
        posted[number].scout.machine.prompted(at: now, pause: Scout.interval / 5)
      }
    }
    return settle(number, before, at: now)
  }

  var trackedFlows: Set<TrackedFlow> { Set(posted.compactMap(\.flow)) }

  /// Why the silence of those whose connections are missing proves nothing; nil: it does.
  mutating func hinder(_ why: String?, missing: Set<TrackedFlow>) {
    for number in posted.indices {
      posted[number].scout.machine.hindrance = posted[number].flow.map(missing.contains) ?? true ? why : nil
    }
  }

  /// Hubs that answer again since this was asked last, and by what.
  mutating func takeReturned() -> Set<Key> {
    guard !returned.isEmpty else { return [] }
    defer { returned = [] }
    return returned
  }

  /// What can change by a scout's word.
  private struct Standing {
    var state: ProbeMachine.State
    var isCutOff: Bool
    var isDoubted: Bool
  }

  private func standing(of number: Int, at now: Instant) -> Standing {
    let front = front(of: posted[number].key.uplink)
    return Standing(
      state: posted[number].scout.machine.state, isCutOff: front.isCutOff, isDoubted: front.doubt(at: now) != nil)
  }

  private mutating func settle(_ number: Int, _ before: Standing, at now: Instant) -> Bool {
    let (key, state) = (posted[number].key, posted[number].scout.machine.state)
    reschedule(number)
    if before.state == .down && state == .up { returned.insert(key) }
    // One who changed their mind may not be the only one.
    if state != before.state && before.state != .unknown {
      ask(by: key.uplink, about: key.address, unlessSince: now - Self.pauseOfVerdict, at: now)
    }
    let after = standing(of: number, at: now)
    if after.isCutOff { cutOff.insert(key.uplink) } else { cutOff.remove(key.uplink) }
    return before.isCutOff != after.isCutOff || before.isDoubted != after.isDoubted
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
    UplinkOutlook(scouts: (byUplink[uplink] ?? []).map { posted[$0].scout }, asked: asked[uplink])
  }

  /// The targets alone, who are few: on them hangs whether the uplink can be used.
  private func front(of uplink: InterfaceName) -> UplinkOutlook {
    UplinkOutlook(
      scouts: (byUplink[uplink] ?? []).filter { posted[$0].scout.roles.contains(.target) }.map { posted[$0].scout },
      asked: asked[uplink])
  }

  // MARK: - When to ask

  /// A probe of a path has no answer when it should have one.
  mutating func suspected(_ path: WatchPlan.WatchedPath, at now: Instant) {
    suspicions[path.name] = now
    ask(by: path.underlay ?? path.device, about: path.hub, unlessSince: now - Self.pauseOfSuspicion, at: now)
  }

  /// A path went down. What was answered since it was suspected counts.
  mutating func wentDown(_ path: WatchPlan.WatchedPath, at now: Instant) {
    let suspicion = suspicions.removeValue(forKey: path.name)
    ask(by: path.underlay ?? path.device, about: path.hub, unlessSince: suspicion ?? now - Self.pauseOfVerdict, at: now)
  }

  /// A path is up again: its hub, if it was silent, need not be shown so until its turn comes.
  mutating func wentUp(_ path: WatchPlan.WatchedPath, at now: Instant) {
    guard let uplink = path.underlay, let hub = path.hub else { return }
    guard let number = numbers[Key(uplink: uplink, address: hub)], posted[number].scout.machine.state == .down
    else { return }
    posted[number].scout.machine.prompted(at: now, pause: Self.pauseOfVerdict)
    reschedule(number)
  }

  /// Asks gateway, targets and some hubs, unless they were asked since `instant`; and the hub that it is about.
  private mutating func ask(
    by uplink: InterfaceName, about hub: IPv4Address?, unlessSince instant: Instant, at now: Instant
  ) {
    let isNew = asked[uplink].map { $0 < instant } ?? true
    if isNew { asked[uplink] = now }
    var others = 0
    for number in byUplink[uplink] ?? [] {
      let scout = posted[number].scout
      if scout.address == hub {
        if let last = scout.asked, last >= instant { continue }
      } else {
        guard isNew else { continue }
        if scout.roles == [.hub] { others += 1 }
        if scout.roles == [.hub] && others > Self.otherHubs { continue }
      }
      posted[number].scout.asked = now
      posted[number].scout.machine.prompted(at: now, pause: Self.pauseOfVerdict)
      reschedule(number)
    }
  }

  /// The kernel has found nobody with this address, a gateway's, on the link.
  mutating func neighbourFailed(_ address: IPv4Address, on uplink: InterfaceName, at now: Instant) {
    if let number = numbers[Key(uplink: uplink, address: address)] { posted[number].scout.neighbourFailed() }
    ask(by: uplink, about: nil, unlessSince: now - Self.pauseOfSuspicion, at: now)
  }

  // MARK: - What it means

  /// Looks at every path that is down; returns events for each cause that is new or has changed.
  mutating func review(_ view: View) -> [AgentEvent] {
    var events: [AgentEvent] = []
    var scenes: [InterfaceName: Scene] = [:]
    for (number, path) in view.index.plan.paths.enumerated() {
      guard view.health[number].state == .down else {
        diagnoses[path.name] = nil
        continue
      }
      // What was found stays true of what was lost until the path is up.
      if diagnoses[path.name] != nil && view.isReturning(number) { continue }
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
      carrying: view.index.paths(by: uplink).filter { number in
        let path = view.index.plan.paths[number]
        return path.isTunnel && path.underlay == uplink && [.up, .degraded].contains(view.health[number].state)
          && view.lastAnswer(of: number).map { $0 > asked ?? $0 } == true
      }.map { view.index.plan.paths[$0] })
  }

  /// Nil while it is not all in.
  private func evidence(
    on path: WatchPlan.WatchedPath, _ view: View, _ scenes: inout [InterfaceName: Scene]
  ) -> Diagnosis.Evidence? {
    let uplink = path.isTunnel ? path.underlay : path.device
    let keys = view.circumstances.remark(on: path)
    let watched = uplink.flatMap { view.index.uplink($0) }
    if let uplink, let why = view.circumstances.trouble(of: uplink) ?? watched?.obstacle.map({ "\(uplink): \($0)" }) {
      return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: uplink, obstacle: .uplink(why), keys: keys)
    }
    if let why = path.obstacle ?? view.circumstances.trouble(of: path.device) {
      return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: uplink, obstacle: .tunnel(why), keys: keys)
    }
    guard let uplink else { return Diagnosis.Evidence(isTunnel: path.isTunnel, uplink: nil, keys: keys) }
    let scene = scenes[uplink] ?? scene(of: uplink, view)
    scenes[uplink] = scene
    let own = path.hub.flatMap { numbers[Key(uplink: uplink, address: $0)] }.map { posted[$0].scout }
    let internet = scene.internet.filter { $0.address != path.hub }
    guard ([scene.gateway, own].compactMap { $0 } + internet).allSatisfy(\.isSettled) else { return nil }
    return Diagnosis.Evidence(
      isTunnel: path.isTunnel, uplink: uplink, gateway: scene.gateway?.witness, hub: own?.witness,
      internet: internet.map(\.witness), carrying: scene.carrying.first { $0.hub != path.hub }?.name, keys: keys)
  }
}
