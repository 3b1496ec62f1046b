package import Core
internal import Synchronization

/// Sees to it that charon has the tunnels' connections and makes their SAs: after its restart, after ours, after a new
/// rule set or a new address of an uplink. It never touches the kernel, and no probe or flip ever waits for it.
package actor IKEKeeper {
  /// What an SA says of its tunnel: a hint for whoever judges paths.
  package enum Word: Equatable, Sendable {
    /// charon does not answer, so nothing is known.
    case unknown
    case up
    case down(String)
  }

  package struct Listeners: Sendable {
    /// An SA came or went: worth a probe at once.
    package var word: @Sendable (Name, Word) async -> Void
    /// What ESP costs a tunnel's packets, of every tunnel that has had an SA.
    package var negotiated: @Sendable ([Name: ESPEncapsulation]) async -> Void

    package init(
      word: @escaping @Sendable (Name, Word) async -> Void,
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
  private var connectFailures = 0
  private var nextConnect: Instant
  private var nextLook: Instant
  private var nextInventory: Instant
  /// charon may have connections of ours that no rule set wants.
  private var mayHaveStrangers = false
  private var timer: Task<Void, Never>?
  private var words: [Name: Word] = [:]
  private var negotiated: [Name: ESPEncapsulation] = [:]
  private var told: [Name: String] = [:]

  package init(charon: any CharonPort, events: any EventSink, surroundings: any Surroundings) {
    self.charon = charon
    self.events = events
    self.surroundings = surroundings
    nextConnect = surroundings.now
    nextLook = surroundings.now
    nextInventory = surroundings.now
  }

  /// Works until cancelled. What charon has stays.
  package func run(telling listeners: Listeners) async {
    self.listeners = listeners
    for await _ in mailbox.bell { await work() }
    timer?.cancel()
  }

  /// What charon shall have from now on. `held`: tunnels of which nothing can be said now; theirs stays as it is.
  package func want(_ connections: [IKEConnection], held: Set<Name>) {
    let now = surroundings.now
    let names = Set(connections.map(\.tunnel)).union(held)
    hasConnections = !names.isEmpty
    status.isNeeded = hasConnections
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
      told[name] = nil
      negotiated[name] = nil
      mayHaveStrangers = true
    }
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
    return machines
  }

  // MARK: - One turn

  private func work() async {
    let post = mailbox.empty()
    if let why = post.gone { await lost(why) }
    if !post.troubles.isEmpty || !post.changed.isEmpty { try? await Task.sleep(for: Self.settleTime) }
    for (name, trouble) in post.troubles { machines[name]?.noticed(trouble) }
    guard hasConnections || mayHaveStrangers else { return }
    if !isConnected { await connect() }
    if isConnected && (mayHaveStrangers || nextInventory <= surroundings.now) { await takeInventory() }
    if isConnected {
      let due = nextLook <= surroundings.now || machines.values.contains { $0.wantsLook(at: surroundings.now) }
      if due { await lookAtAll() } else { await look(at: post.changed.union(post.troubles.keys)) }
    }
    for name in machines.keys.sorted() where isConnected && !held.contains(name) { await advance(name) }
    await tellAll()
    scheduleNext()
  }

  /// Takes what the machine wants, one step after the other; it never wants the same twice in a row.
  private func advance(_ name: Name) async {
    for _ in 0..<4 {
      guard isConnected, let step = machines[name]?.next(at: surroundings.now) else { return }
      do {
        try await charon.apply(step)
        done(step, name)
      } catch {
        if error.isGone { return await lost(error.description) }
        machines[name]?.refused("\(error)", at: surroundings.now, chance: surroundings.chance)
        return
      }
    }
  }

  private func done(_ step: IKEStep, _ name: Name) {
    let now = surroundings.now
    switch step {
    case .load(let connection):
      if machines[name]?.connection == connection { machines[name]?.loaded(at: now) }
    case .initiate: machines[name]?.initiated(at: now)
    case .terminate: machines[name]?.terminated(at: now)
    case .unload: break
    }
  }

  // MARK: - charon

  private func connect() async {
    guard nextConnect <= surroundings.now else { return }
    do {
      let identity = try await charon.connect { [mailbox] in mailbox.take($0) }
      isConnected = true
      connectFailures = 0
      mayHaveStrangers = true
      status.version = identity.version
      status.trouble = nil
      events.record(
        AgentEvent(.charonUp, "charon", "\(identity.version) answers; it is given the tunnels' connections"))
      for complaint in identity.complaints {
        events.record(AgentEvent(.charonSettings, "charon", "charon's settings, see `backhaul check`: \(complaint)"))
      }
      for name in machines.keys { machines[name]?.charonCame(at: surroundings.now) }
    } catch {
      let wait = min(Self.firstRetry * (1 << min(connectFailures, 10)), Self.longestRetry)
      connectFailures += 1
      nextConnect = surroundings.now + wait
      if status.trouble != error.description {
        status.trouble = error.description
        events.record(
          AgentEvent(
            .charonDown, "charon", "\(error); asked again until it answers, and no new keys are made until then"))
      }
    }
  }

  private func lost(_ why: String) async {
    guard isConnected else { return }
    isConnected = false
    nextConnect = surroundings.now + Self.firstRetry
    status.version = nil
    status.trouble = why
    for name in machines.keys { machines[name]?.charonWent() }
    events.record(
      AgentEvent(
        .charonDown, "charon", "\(why); SAs that the kernel has go on, and charon is asked again until it answers"))
  }

  /// Unloads what no rule set wants, and has what another took away loaded again.
  private func takeInventory() async {
    nextInventory = surroundings.now + Self.inventoryPeriod
    do {
      let holdings = try await charon.holdings()
      if mayHaveStrangers {
        for name in holdings.connections.sorted() where machines[name] == nil && !held.contains(name) {
          try await charon.apply(.unload(name))
        }
        mayHaveStrangers = false
      }
      for name in machines.keys.sorted() {
        let isWhole = holdings.connections.contains(name) && !holdings.withoutCredentials.contains(name)
        guard !isWhole, machines[name]?.hasLoaded == true else { continue }
        machines[name]?.reload(at: surroundings.now)
        events.record(
          AgentEvent(
            .driftRepaired, name.text,
            "tunnel \(name): another took its connection or its key away from charon, and it is loaded again"))
      }
    } catch {
      if error.isGone { return await lost(error.description) }
      events.record(AgentEvent(.charonRefused, "charon", "what is no longer wanted stays for now: \(error)"))
      // Once told is enough; the next connection tries again.
      mayHaveStrangers = false
    }
  }

  // MARK: - What charon has

  private func lookAtAll() async {
    do {
      let all = try await charon.associations(of: nil)
      nextLook = surroundings.now + Self.period
      for name in machines.keys { saw(all[name] ?? TunnelAssociations(), name) }
    } catch { await lookFailed(error) }
  }

  private func look(at names: Set<Name>) async {
    for name in names.sorted() where isConnected && machines[name] != nil {
      do {
        saw(try await charon.associations(of: name)[name] ?? TunnelAssociations(), name)
      } catch { await lookFailed(error) }
    }
  }

  private func lookFailed(_ failure: CharonFailure) async {
    if failure.isGone { return await lost(failure.description) }
    status.trouble = failure.description
  }

  private func saw(_ new: TunnelAssociations, _ name: Name) {
    guard var machine = machines[name] else { return }
    let before = machine.associations
    machine.saw(new, at: surroundings.now, chance: surroundings.chance)
    machines[name] = machine
    if let encapsulation = new.child?.encapsulation, new.isUp { negotiatedNow[name] = encapsulation }
    if before.isUp, new.isUp, before.child?.number != new.child?.number {
      events.record(AgentEvent(.saRekeyed, name.text, "tunnel \(name): has new keys: \(Self.described(new))"))
    }
  }

  private var negotiatedNow: [Name: ESPEncapsulation] = [:]

  // MARK: - Telling

  private func tellAll() async {
    if negotiatedNow != negotiated {
      negotiated.merge(negotiatedNow) { $1 }
      negotiatedNow = negotiated
      await listeners?.negotiated(negotiated)
    }
    for name in machines.keys.sorted() { await tell(name) }
  }

  private func tell(_ name: Name) async {
    guard let machine = machines[name] else { return }
    let word: Word =
      switch machine.phase {
      case .absent: .unknown
      case .up: .up
      case .unloaded, .idle, .connecting: machine.associations.isUp ? .up : .down(machine.trouble ?? "no SA yet")
      }
    let before = words[name]
    if let trouble = machine.trouble, !machine.associations.isUp, told[name] != trouble {
      told[name] = trouble
      events.record(
        AgentEvent(.saFailed, name.text, "tunnel \(name): no SA, tried again: \(trouble)", details: ["cause": trouble]))
    }
    guard word != before else { return }
    words[name] = word
    switch (before, word) {
    case (_, .up):
      told[name] = nil
      // charon was away and the kernel's SAs were not: nothing came up that had been down.
      if before != .unknown
        || machine.associations.child?.installed.map({ surroundings.now - $0 < .seconds(5) }) ?? true
      {
        events.record(
          AgentEvent(.saUp, name.text, "tunnel \(name): SAs are up: \(Self.described(machine.associations))"))
      }
    case (.up?, .down(let why)):
      events.record(
        AgentEvent(.saDown, name.text, "tunnel \(name): its SAs are gone: \(why)", details: ["cause": why]))
    case (_, .down), (_, .unknown): break
    }
    await listeners?.word(name, word)
  }

  private static func described(_ associations: TunnelAssociations) -> String {
    let cipher = associations.child?.cipher ?? "cipher unknown"
    return cipher + (associations.child?.isInUDP == true ? ", in UDP" : "")
  }

  private func scheduleNext() {
    timer?.cancel()
    var next = isConnected ? min(nextLook, nextInventory) : nextConnect
    if isConnected {
      for (name, machine) in machines where !held.contains(name) {
        if let deadline = machine.nextDeadline { next = min(next, deadline) }
      }
    }
    // Never at once: whatever is due has just been tried.
    let wait = max(next - surroundings.now, .milliseconds(20))
    timer = Task { [mailbox] in
      try? await Task.sleep(for: wait)
      if !Task.isCancelled { mailbox.ring() }
    }
  }
}

/// What charon has told since it was last looked at. Bounded by the number of tunnels, however much charon says.
private final class CharonMailbox: Sendable {
  struct Post: Sendable {
    var changed: Set<Name> = []
    var troubles: [Name: String] = [:]
    var gone: String?
  }

  let bell: AsyncStream<Void>
  private let inbox: AsyncStream<Void>.Continuation
  private let post = Mutex(Post())

  init() { (bell, inbox) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

  func ring() { inbox.yield() }

  func take(_ event: CharonEvent) {
    post.withLock { post in
      switch event {
      case .changed(let name): post.changed.insert(name)
      case .trouble(let name, let text): post.troubles[name] = text
      case .gone(let why): post.gone = why
      }
    }
    ring()
  }

  func empty() -> Post {
    post.withLock { post in
      defer { post = Post() }
      return post
    }
  }
}
