package import Core
package import RuleSets

/// Makes sure that charon has the tunnels' connections and sets up their SAs: after charon's restart, after ours, after
/// a new rule set, and when an uplink's address changes. It never touches the kernel, and no probe or flip ever waits
/// for it.
package actor IKEKeeper {
  /// What the keeper calls when a tunnel's SAs change. It awaits each call before the next one.
  package struct Listeners: Sendable {
    /// An SA came or went: worth a probe at once. Nil: the tunnel is gone.
    package var word: @Sendable (Name, IKENews.Word?) async -> Void
    /// What ESP costs a tunnel's packets, of every tunnel that has had an SA.
    package var negotiated: @Sendable ([Name: ESPEncapsulation]) async -> Void

    package init(
      word: @escaping @Sendable (Name, IKENews.Word?) async -> Void,
      negotiated: @escaping @Sendable ([Name: ESPEncapsulation]) async -> Void
    ) {
      self.word = word
      self.negotiated = negotiated
    }
  }

  /// Whether charon answers, for the status.
  package struct Status: Equatable, Sendable {
    /// Whether any tunnel needs charon.
    package var isNeeded = false
    package var version: String?
    package var trouble: String?
  }

  /// How often every SA is read again: events are lost with a connection, and some of charon's states cause no event.
  static let period: Duration = .seconds(10)
  /// How often charon is asked what it holds, so that a connection that another client unloaded is back within a second
  /// or so.
  static let inventoryPeriod: Duration = .seconds(1)
  /// charon reports a failure while it still has the SA.
  static let settleTime: Duration = .milliseconds(50)
  static let firstRetry: Duration = .milliseconds(200)
  static let longestRetry: Duration = .seconds(5)
  /// How long to wait after a look that charon did not answer.
  static let lookPause: Duration = .seconds(1)
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
  /// After a failed look, no look is taken before this time.
  private var looksAgain: Instant
  private var nextInventory: Instant
  /// charon may have connections of ours that no rule set wants.
  private var mayHaveStrangers = false
  private var alarm: Alarm?
  /// ESP's overhead, and what the listener was last told about it.
  private var negotiated: [Name: ESPEncapsulation] = [:]
  private var negotiatedTold: [Name: ESPEncapsulation] = [:]
  /// Removed tunnels whose end the listener has not been told yet.
  private var gone: Set<Name> = []
  private var news = IKENews()

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

  /// Works until cancelled. Charon keeps what it has.
  package func run(telling listeners: Listeners) async {
    self.listeners = listeners
    for await _ in mailbox.bell { await work() }
    alarm?.cancel()
  }

  /// Sets what charon is to have from now on. `held`: tunnels that cannot be judged now; what charon has of them stays
  /// as it is.
  package func want(_ connections: [IKEConnection], held: Set<Name>) {
    let now = surroundings.now
    let names = Set(connections.map(\.tunnel)).union(held)
    if !hasConnections && !isConnected { news.charonIsNeeded() }
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
      news.forget(name)
      negotiated[name] = nil
      gone.insert(name)
      mayHaveStrangers = true
    }
    // A tunnel that has been held from the start has no machine.
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
    // The loop reports what was seen and acts on it.
    mailbox.ring()
    return machines
  }

  /// Every tunnel's state as last seen, without asking charon.
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

  /// charon logs a failed negotiation in several lines, and the first may be no more than a hint, so we wait for all of
  /// them.
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
      tell(news.charonAnswered(identity.version, complaints: identity.complaints.map { "\($0)" }))
      for name in machines.keys { machines[name]?.charonCame(at: surroundings.now) }
    } catch {
      status.trouble = error.description
      retryConnect()
      // charon may be absent where no tunnel needs it.
      if hasConnections { tell(news.charonIsSilent(error.description)) }
    }
  }

  private func lost(_ why: String) {
    guard isConnected else { return }
    isConnected = false
    // A charon that comes and goes at once is asked less and less often, and reported once.
    let hasLasted = connectedSince + Self.longestRetry <= surroundings.now
    if hasLasted { connectFailures = 0 }
    status.version = nil
    status.trouble = why
    for name in machines.keys { machines[name]?.charonWent() }
    retryConnect()
    if hasConnections { tell(news.charonWent(why, hasLasted: hasLasted)) }
    // The caller may not have been the loop.
    mailbox.ring()
  }

  private func retryConnect() {
    nextConnect = surroundings.now + min(Self.firstRetry * (1 << min(connectFailures, 10)), Self.longestRetry)
    connectFailures = min(connectFailures + 1, 30)
  }

  /// Unloads what no rule set wants, and reloads what another client took away.
  private func takeInventory() async {
    nextInventory = surroundings.now + Self.inventoryPeriod
    // Taken before charon is asked, so that what goes missing meanwhile is found the next time.
    let unloads = mayHaveStrangers
    mayHaveStrangers = false
    do {
      let holdings = try await charon.holdings()
      if unloads {
        for name in holdings.connections.sorted() where machines[name] == nil && !held.contains(name) {
          try await charon.apply(.unload(name))
        }
      }
      loadAgain(whatIsMissingIn: holdings)
    } catch {
      mayHaveStrangers = mayHaveStrangers || unloads
      if error.isGone { return lost(error.description) }
      tell(news.unloadWasRefused(error.description))
    }
  }

  private func loadAgain(whatIsMissingIn holdings: CharonHoldings) {
    var missing: Set<Name> = []
    for (name, machine) in machines where machine.hasLoaded {
      if holdings.connections.contains(name) && !holdings.withoutCredentials.contains(name) { continue }
      machines[name]?.reload(at: surroundings.now)
      missing.insert(name)
    }
    tell(news.inventory(missing: missing))
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
    tell(news.saw(new, of: name, before: before))
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
    for name in machines.keys.sorted() {
      guard let machine = machines[name] else { continue }
      let (word, told) = news.judge(machine, at: surroundings.now)
      tell(told)
      if let word { await listeners?.word(name, word) }
    }
  }

  private func tell(_ news: [AgentEvent]) { for event in news { events.record(event) } }

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
    // Never at once: everything that is due has just been tried.
    let wait = max(next - surroundings.now, .milliseconds(20))
    alarm = surroundings.alarm(after: wait) { [mailbox] in mailbox.ring() }
  }
}
