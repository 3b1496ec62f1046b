package import Core

/// Sees to it that charon has the tunnels' connections and makes their SAs: after its restart, after ours, after a new
/// rule set or a new address of an uplink. It never touches the kernel, and no probe or flip ever waits for it.
package actor IKEKeeper {
  /// What an SA says of its tunnel: a hint for whoever judges paths.
  package enum Word: Equatable, Sendable {
    /// charon does not answer, so nothing is known.
    case unknown
    /// charon is at work on the first SA, and nothing has gone wrong yet.
    case pending
    case up
    case down(String)

    /// As reports have it.
    package var name: String {
      switch self {
      case .unknown: "unknown"
      case .pending: "pending"
      case .up: "up"
      case .down: "down"
      }
    }
  }

  package struct Listeners: Sendable {
    /// An SA came or went: worth a probe at once. Nil: the tunnel is no more.
    package var word: @Sendable (Name, Word?) async -> Void
    /// What ESP costs a tunnel's packets, of every tunnel that has had an SA.
    package var negotiated: @Sendable ([Name: ESPEncapsulation]) async -> Void

    package init(
      word: @escaping @Sendable (Name, Word?) async -> Void,
      negotiated: @escaping @Sendable ([Name: ESPEncapsulation]) async -> Void
    ) {
      self.word = word
      self.negotiated = negotiated
    }
  }

  /// Whether charon answers, for the status.
  package struct Status: Equatable, Sendable {
    /// A tunnel needs it.
    package var isNeeded = false
    package var version: String?
    package var trouble: String?
  }

  /// Events may be lost with a connection, and charon has states that it tells nobody of.
  static let period: Duration = .seconds(10)
  /// How often charon is asked what it holds: what another took away shall be back within a second or so.
  static let inventoryPeriod: Duration = .seconds(1)
  /// charon tells of a failure while it still has the SA.
  static let settleTime: Duration = .milliseconds(50)
  static let firstRetry: Duration = .milliseconds(200)
  static let longestRetry: Duration = .seconds(5)
  /// Before charon is looked at again that would not say what it has.
  static let lookPause: Duration = .seconds(1)
  /// An SA that is older was there before it was seen.
  static let youth: Duration = .seconds(5)
  /// Different troubles of one tunnel that are told until its SA is up; then the oldest may be told again.
  static let mostTroubles = 16

  private let charon: any CharonPort
  private let events: any EventSink
  private let surroundings: any Surroundings
  private let mailbox = CharonMailbox()

  private var listeners: Listeners?
  private var machines: [Name: IKEMachine] = [:]
  private var held: Set<Name> = []
  private var hasConnections = false
  private(set) package var status = Status()
  private var isConnected = false
  private var connectedSince: Instant
  private var connectFailures = 0
  private var nextConnect: Instant
  private var nextLook: Instant
  /// A look failed: none is taken before this.
  private var looksAgain: Instant
  private var nextInventory: Instant
  /// charon may have connections of ours that no rule set wants.
  private var mayHaveStrangers = false
  private var alarm: Alarm?
  /// What ESP costs, and what of that was told.
  private var negotiated: [Name: ESPEncapsulation] = [:]
  private var negotiatedTold: [Name: ESPEncapsulation] = [:]
  private var words: [Name: Word] = [:]
  /// Tunnels that went, and whose end is not told yet.
  private var gone: Set<Name> = []
  // What events were told of, so that each is told once.
  private var troubles: [Name: [String]] = [:]
  private var missing: Set<Name> = []
  private var outage: String?
  private var isOutageTold = true
  private var refusal: String?

  package init(charon: any CharonPort, events: any EventSink, surroundings: any Surroundings) {
    self.charon = charon
    self.events = events
    self.surroundings = surroundings
    connectedSince = surroundings.now
    nextConnect = surroundings.now
    nextLook = surroundings.now
    looksAgain = surroundings.now
    nextInventory = surroundings.now
  }

  /// Works until cancelled. What charon has stays.
  package func run(telling listeners: Listeners) async {
    self.listeners = listeners
    for await _ in mailbox.bell { await work() }
    alarm?.cancel()
  }

  /// What charon shall have from now on. `held`: tunnels of which nothing can be said now; theirs stays as it is.
  package func want(_ connections: [IKEConnection], held: Set<Name>) {
    let now = surroundings.now
    let names = Set(connections.map(\.tunnel)).union(held)
    if !hasConnections && !isConnected {
      // Whatever became of charon while nobody needed it, it is told of from now on.
      outage = nil
      isOutageTold = true
    }
    hasConnections = !names.isEmpty
    status.isNeeded = hasConnections
    let released = !self.held.isSubset(of: names)
    self.held = held
    for connection in connections {
      guard let before = machines[connection.tunnel]?.connection else {
        machines[connection.tunnel] = IKEMachine(connection, at: now)
        if isConnected { machines[connection.tunnel]?.charonCame(at: now) }
        continue
      }
      if before != connection { machines[connection.tunnel]?.connectionChanged(to: connection, at: now) }
    }
    for name in machines.keys where !names.contains(name) {
      machines[name] = nil
      words[name] = nil
      troubles[name] = nil
      negotiated[name] = nil
      gone.insert(name)
      mayHaveStrangers = true
    }
    // One that was held from the start has no machine.
    if released { mayHaveStrangers = true }
    if mayHaveStrangers { nextInventory = now }
    mailbox.ring()
  }

  /// The files with secrets may have changed.
  package func reload() {
    for name in machines.keys { machines[name]?.reload(at: surroundings.now) }
    mailbox.ring()
  }

  /// Every tunnel's state, asked of charon now where it answers.
  package func current() async -> [Name: IKEMachine] {
    if isConnected { await lookAtAll() }
    // What was seen is told of, and followed.
    mailbox.ring()
    return machines
  }

  /// As they were last seen: charon is not asked.
  package var lastSeen: [Name: IKEMachine] { machines }

  // MARK: - One turn

  private func work() async {
    let post = await readPost()
    if let why = post.gone { lost(why) }
    for (name, trouble) in post.troubles { machines[name]?.noticed(trouble) }
    if hasConnections || mayHaveStrangers {
      if !isConnected { await connect() }
      if isConnected && nextInventory <= surroundings.now { await takeInventory() }
      await look(after: post)
      let now = surroundings.now
      for name in machines.keys.sorted() where isConnected && !held.contains(name) {
        if machines[name]?.next(at: now) != nil { await advance(name) }
      }
      scheduleNext()
    }
    await tellAll()
  }

  /// Several lines tell of a failed negotiation, and the first may be no more than a hint: all are waited for.
  private func readPost() async -> CharonMailbox.Post {
    var post = mailbox.empty()
    guard !post.changed.isEmpty || !post.troubles.isEmpty || post.isOverfull else { return post }
    await surroundings.pause(Self.settleTime)
    post.add(mailbox.empty())
    return post
  }

  /// Takes what the machine wants, one step after the other; it never wants the same twice in a row.
  private func advance(_ name: Name) async {
    for _ in 0..<4 {
      guard isConnected, let step = machines[name]?.next(at: surroundings.now) else { return }
      let edition = machines[name]?.edition
      if case .initiate = step { machines[name]?.initiating(at: surroundings.now) }
      do {
        try await charon.apply(step)
        done(step, name, edition: edition)
      } catch {
        if error.isGone { return lost(error.description) }
        machines[name]?.refused("\(error)", at: surroundings.now, chance: surroundings.chance)
        return
      }
    }
  }

  /// Much may have happened while charon was at it: another connection may be wanted by now, or none.
  private func done(_ step: IKEStep, _ name: Name, edition: UInt64?) {
    switch step {
    case .load: if machines[name]?.edition == edition { machines[name]?.loaded(at: surroundings.now) }
    case .terminate: machines[name]?.terminated(at: surroundings.now)
    case .initiate, .unload: break
    }
  }

  // MARK: - charon

  private func connect() async {
    guard nextConnect <= surroundings.now else { return }
    do {
      let identity = try await charon.connect { [mailbox] in mailbox.take($0) }
      isConnected = true
      connectedSince = surroundings.now
      looksAgain = surroundings.now
      nextInventory = surroundings.now
      mayHaveStrangers = true
      status.version = identity.version
      status.trouble = nil
      tellConnected(identity)
      for name in machines.keys { machines[name]?.charonCame(at: surroundings.now) }
    } catch {
      status.trouble = error.description
      retryConnect()
      tellOutage(error.description, "asked again until it answers, and no new keys are made until then")
    }
  }

  private func lost(_ why: String) {
    guard isConnected else { return }
    isConnected = false
    // One that comes and goes at once is asked less and less often, and told of once.
    let hasLasted = connectedSince + Self.longestRetry <= surroundings.now
    if hasLasted { connectFailures = 0 }
    status.version = nil
    status.trouble = why
    missing = []
    for name in machines.keys { machines[name]?.charonWent() }
    retryConnect()
    if hasLasted || outage != why {
      isOutageTold = false
      tellOutage(why, "SAs that the kernel has go on, and charon is asked again until it answers")
    }
    // Who asked was perhaps not the loop.
    mailbox.ring()
  }

  private func retryConnect() {
    nextConnect = surroundings.now + min(Self.firstRetry * (1 << min(connectFailures, 10)), Self.longestRetry)
    connectFailures = min(connectFailures + 1, 30)
  }

  private func tellConnected(_ identity: CharonIdentity) {
    guard isOutageTold else { return }
    isOutageTold = false
    events.record(AgentEvent(.charonUp, "charon", "\(identity.version) answers; it is given the tunnels' connections"))
    for complaint in identity.complaints {
      events.record(AgentEvent(.charonSettings, "charon", "charon's settings, see `backhaul check`: \(complaint)"))
    }
  }

  /// Once an outage, whatever else goes wrong until charon answers; never where no tunnel needs it.
  private func tellOutage(_ why: String, _ next: String) {
    guard hasConnections, !isOutageTold || outage == nil else { return }
    isOutageTold = true
    outage = why
    events.record(AgentEvent(.charonDown, "charon", "\(why); \(next)"))
  }

  /// Unloads what no rule set wants, and has what another took away loaded again.
  private func takeInventory() async {
    nextInventory = surroundings.now + Self.inventoryPeriod
    // Before charon is asked: what is taken away meanwhile is for the next time.
    let unloads = mayHaveStrangers
    mayHaveStrangers = false
    do {
      let holdings = try await charon.holdings()
      if unloads {
        for name in holdings.connections.sorted() where machines[name] == nil && !held.contains(name) {
          try await charon.apply(.unload(name))
        }
      }
      refusal = nil
      loadAgain(whatIsMissingIn: holdings)
    } catch {
      mayHaveStrangers = mayHaveStrangers || unloads
      if error.isGone { return lost(error.description) }
      guard refusal != error.description else { return }
      refusal = error.description
      events.record(
        AgentEvent(.charonRefused, "charon", "what is no longer wanted may stay for now, tried again: \(error)"))
    }
  }

  private func loadAgain(whatIsMissingIn holdings: CharonHoldings) {
    let before = missing
    missing = []
    for name in machines.keys.sorted() where machines[name]?.hasLoaded == true {
      if holdings.connections.contains(name) && !holdings.withoutCredentials.contains(name) { continue }
      machines[name]?.reload(at: surroundings.now)
      missing.insert(name)
      // A charon that keeps nothing is told of once.
      guard !before.contains(name) else { continue }
      events.record(
        AgentEvent(
          .driftRepaired, name.text,
          "tunnel \(name): another took its connection or its key away from charon, and it is loaded again"))
    }
  }

  // MARK: - What charon has

  private func look(after post: CharonMailbox.Post) async {
    guard isConnected, looksAgain <= surroundings.now else { return }
    let now = surroundings.now
    if post.isOverfull || nextLook <= now || machines.values.contains(where: { $0.wantsLook(at: now) }) {
      await lookAtAll()
    } else {
      await look(at: post.changed.union(post.troubles.keys))
    }
  }

  private func lookAtAll() async {
    do {
      let all = try await charon.associations(of: nil)
      let now = surroundings.now
      nextLook = now + Self.period
      status.trouble = nil
      for name in machines.keys { saw(all[name] ?? TunnelAssociations(), name, at: now) }
    } catch { lookFailed(error) }
  }

  private func look(at names: Set<Name>) async {
    for name in names.sorted() where isConnected && machines[name] != nil {
      do {
        let new = try await charon.associations(of: name)[name] ?? TunnelAssociations()
        saw(new, name, at: surroundings.now)
      } catch { return lookFailed(error) }
    }
  }

  private func lookFailed(_ failure: CharonFailure) {
    if failure.isGone { return lost(failure.description) }
    status.trouble = failure.description
    looksAgain = surroundings.now + Self.lookPause
    nextLook = looksAgain
  }

  private func saw(_ new: TunnelAssociations, _ name: Name, at now: Instant) {
    guard var machine = machines[name] else { return }
    let before = machine.associations
    machine.saw(new, at: now, chance: surroundings.chance)
    machines[name] = machine
    if let encapsulation = new.child?.encapsulation, new.isUp { negotiated[name] = encapsulation }
    if before.isUp, new.isUp, before.child?.number != new.child?.number {
      events.record(AgentEvent(.saRekeyed, name.text, "tunnel \(name): has new keys: \(Self.described(new))"))
    }
  }

  // MARK: - Telling

  private func tellAll() async {
    if negotiated != negotiatedTold {
      negotiatedTold = negotiated
      await listeners?.negotiated(negotiated)
    }
    for name in gone.sorted() where gone.remove(name) != nil && machines[name] == nil {
      await listeners?.word(name, nil)
    }
    for name in machines.keys.sorted() { await tell(name) }
  }

  private func tell(_ name: Name) async {
    guard let machine = machines[name] else { return }
    tellTrouble(of: machine)
    let before = words[name]
    let word = word(on: machine, after: before)
    guard word != before else { return }
    words[name] = word
    switch (before, word) {
    case (_, .up):
      if isNews(machine.associations, after: before) {
        events.record(
          AgentEvent(.saUp, name.text, "tunnel \(name): SAs are up: \(Self.described(machine.associations))"))
      }
    case (.up?, .down(let why)):
      events.record(
        AgentEvent(.saDown, name.text, "tunnel \(name): its SAs are gone: \(why)", details: ["cause": why]))
    case (_, .down), (_, .unknown), (_, .pending): break
    }
    await listeners?.word(name, word)
  }

  /// charon was away, or we were, and the kernel's SAs were not: then nothing came up that had been down.
  private func isNews(_ associations: TunnelAssociations, after before: Word?) -> Bool {
    switch before {
    case .pending?, .up?, .down?: true
    case .unknown?, nil: associations.child?.installed.map { surroundings.now - $0 < Self.youth } ?? true
    }
  }

  private func word(on machine: IKEMachine, after before: Word?) -> Word {
    if machine.phase == .absent { return .unknown }
    if machine.associations.isUp { return .up }
    if machine.isUndecided(at: surroundings.now) {
      // Whether the hub wants us shows soon. What was up is down in any case, and what was down stays so.
      switch before {
      case .down(let why)?: return .down(why)
      case .unknown?, .pending?, nil: return .pending
      case .up?: break
      }
    }
    return .down(machine.trouble ?? "neither charon nor the hub said why")
  }

  /// Each trouble once until the SA is up: a hub that refuses does so all day long.
  private func tellTrouble(of machine: IKEMachine) {
    let name = machine.connection.tunnel
    let isUp = machine.associations.isUp
    guard let trouble = machine.trouble else {
      if isUp { troubles[name] = nil }
      return
    }
    guard troubles[name]?.contains(trouble) != true else { return }
    troubles[name] = Array((troubles[name] ?? []).suffix(Self.mostTroubles - 1)) + [trouble]
    events.record(
      isUp
        ? AgentEvent(
          .charonRefused, name.text, "tunnel \(name): could not be loaded again, and its SAs go on: \(trouble)",
          details: ["cause": trouble])
        : AgentEvent(
          .saFailed, name.text, "tunnel \(name): no SA, tried again: \(trouble)", details: ["cause": trouble]))
  }

  private static func described(_ associations: TunnelAssociations) -> String {
    let cipher = associations.child?.cipher ?? "cipher unknown"
    return cipher + (associations.child?.isInUDP == true ? ", in UDP" : "")
  }

  private func scheduleNext() {
    alarm?.cancel()
    var next = isConnected ? min(nextLook, nextInventory) : nextConnect
    if isConnected {
      for (name, machine) in machines where !held.contains(name) {
        guard let deadline = machine.nextDeadline else { continue }
        // What waits for a look that charon denies waits for the next one.
        next = min(next, machine.phase == .connecting ? max(deadline, looksAgain) : deadline)
      }
    }
    // Never at once: whatever is due has just been tried.
    let wait = max(next - surroundings.now, .milliseconds(20))
    alarm = surroundings.alarm(after: wait) { [mailbox] in mailbox.ring() }
  }
}
