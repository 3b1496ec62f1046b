package import Agent
package import Core
package import RuleSets
internal import VICI

/// strongSwan's charon over its VICI socket: one connection for commands and one for events, on a thread of its own, so
/// that a hanging charon holds up nothing else. A call that charon leaves unanswered ends the connections, because a
/// late answer would be mistaken for the next call's.
package actor LinuxCharon: CharonPort {
  private let configuration: IPsecConfiguration
  private let complaints: @Sendable () -> [String]
  private let patience: Duration
  private let loop: Reactor
  private var sessions: Sessions?
  private var algorithms: CharonAlgorithms?
  private var credentials: CharonCredentials
  private var handler: (@Sendable (CharonEvent) -> Void)?

  /// How long to wait for an answer. charon answers within milliseconds, unless it hangs.
  package static let patience: Duration = .seconds(4)
  /// How many events are taken in before waiting calls get a turn.
  private static let eventsAtOnce = 256

  package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private final class Sessions {
    var commands: VICISession
    var events: VICISession

    init(_ path: String, timeout: Duration) throws(VICIFailure) {
      let commands = try VICISession.open(socketPath: path, timeout: timeout)
      let events = try VICISession.open(socketPath: path, timeout: timeout)
      self.commands = commands
      self.events = events
    }
  }

  /// - Parameters:
  ///   - patience: for any one command, and for all that connecting takes.
  ///   - complaints: says what is wrong with charon's settings; asked at each connection.
  package init(
    _ configuration: IPsecConfiguration, patience: Duration = LinuxCharon.patience,
    complaints: @escaping @Sendable () -> [String] = { [] }
  ) throws(SystemCallFailure) {
    self.configuration = configuration
    self.patience = patience
    self.complaints = complaints
    credentials = CharonCredentials()
    loop = try Reactor(name: "charon")
  }

  // MARK: CharonPort

  /// Reopens both connections, asks charon for its version and algorithms, and registers for events. Takes no longer
  /// than `patience` in all.
  package func connect(
    _ handler: @escaping @Sendable (CharonEvent) -> Void
  ) async throws(CharonFailure) -> CharonIdentity {
    close()
    let operation = "connect to charon"
    let deadline = MonotonicClock.now + patience
    func left() -> Duration { max(deadline - MonotonicClock.now, .zero) }
    do throws(VICIFailure) {
      let new = try Sessions(configuration.viciSocket, timeout: left())
      let version = try new.commands.request("version", timeout: left())
      algorithms = CharonAlgorithms(try new.commands.request("get-algorithms", timeout: left()))
      // Registered for good: otherwise each look at the SAs would take three calls instead of one. charon sends this
      // event only to the client that asks, when it asks.
      _ = try new.commands.register(CharonMessages.associationEvent, timeout: left())
      for event in CharonMessages.events {
        // An older charon lacks some of them; what it does not report is seen at the next look.
        _ = try new.events.register(event, timeout: left())
      }
      try watch(new, operation)
      sessions = new
      self.handler = handler
      credentials = CharonCredentials()
      // What came while events were being registered is already in memory, and no descriptor signals it.
      drain()
      return CharonIdentity(
        version: "\(version.words("daemon") ?? "charon") \(version.words("version") ?? "of unknown version")",
        complaints: complaints())
    } catch {
      throw CharonFailure(operation: operation, error)
    }
  }

  /// An `initiate` that succeeds has only been accepted: events report the outcome.
  package func apply(_ step: IKEStep) async throws(CharonFailure) {
    switch step {
    case .load(let connection): try load(connection)
    case .unload(let tunnel): try unload(tunnel)
    case .initiate(let tunnel):
      // charon answers at once and reports the outcome by events, so none of its threads waits for us.
      try ask(
        "initiate",
        VICIMessage {
          $0.set("ike", IKEConnection.prefix + tunnel.text)
          $0.set("child", tunnel.text)
          $0.set("timeout", -1)
        }, of: tunnel)
    case .terminate(let tunnel): try askLoosely("terminate", CharonMessages.terminating(tunnel), of: tunnel)
    }
  }

  /// One to three short questions: keys are requested only if this agent has given charon any.
  package func holdings() async throws(CharonFailure) -> CharonHoldings {
    let connections = Set(try ask("get-conns").list("conns").compactMap { IKEConnection.tunnel(ofConnection: $0) })
    let shared = credentials.shared.isEmpty ? [] : Set(try ask("get-shared").list("keys"))
    let keys = credentials.keys.isEmpty ? [] : Set(try ask("get-keys").list("keys"))
    let lacking = connections.filter { tunnel in
      let hasShared = !credentials.shared.contains(tunnel) || shared.contains(IKEConnection.prefix + tunnel.text)
      return !hasShared || credentials.keys[tunnel].map { !keys.contains($0) } ?? false
    }
    return CharonHoldings(connections: connections, withoutCredentials: lacking)
  }

  /// Streams `list-sas`. charon's ages and lifetimes are counted from the moment before the call.
  package func associations(of tunnel: Name?) async throws(CharonFailure) -> [Name: TunnelAssociations] {
    var found: [Name: TunnelAssociations] = [:]
    let now = MonotonicClock.now
    let operation = "list-sas" + (tunnel.map { " \(IKEConnection.prefix)\($0)" } ?? "")
    try calling(operation) { (session) throws(VICIFailure) in
      let filter = VICIMessage { message in
        if let tunnel { message.set("ike", IKEConnection.prefix + tunnel.text) }
      }
      let event = CharonMessages.associationEvent
      _ = try session.stream("list-sas", event: event, filter, timeout: patience) { message in
        for (name, section) in message.sections {
          guard let tunnel = IKEConnection.tunnel(ofConnection: name) else { continue }
          CharonMessages.add(section, to: &found[tunnel, default: TunnelAssociations()], at: now)
        }
      }
    }
    return found
  }

  // MARK: Steps

  private func load(_ connection: IKEConnection) throws(CharonFailure) {
    let ike = try proposals(connection.ikeProposals, for: .ike, of: connection)
    let esp = try proposals(connection.espProposals, for: .esp, of: connection)
    let secrets: CharonCredentials.Content
    do throws(SystemCallFailure) { secrets = try CharonCredentials.read(connection) } catch {
      throw CharonFailure(operation: error.operation, cause: error.cause, isGone: false)
    }
    let before = credentials
    // What the connection needs must be there before it.
    for (command, message) in secrets.messages(for: connection) {
      let answer = try ask(command, message, of: connection.tunnel)
      if command == "load-key", let key = answer.text("id") { credentials.keys[connection.tunnel] = key }
      if command == "load-shared" { credentials.shared.insert(connection.tunnel) }
    }
    try ask("load-conn", CharonMessages.connection(connection, secrets, ike: ike, esp: esp), of: connection.tunnel)
    // What it no longer needs can go after it.
    switch secrets {
    case .psk: credentials.keys[connection.tunnel] = nil
    case .certificate: credentials.shared.remove(connection.tunnel)
    }
    try forgetUnused(of: before, connection.tunnel)
  }

  /// Unloads the credentials that charon was given for the tunnel and no longer needs. Two tunnels of one profile share
  /// a private key.
  private func forgetUnused(of before: CharonCredentials, _ tunnel: Name) throws(CharonFailure) {
    if before.shared.contains(tunnel), !credentials.shared.contains(tunnel) {
      try askLoosely("unload-shared", VICIMessage { $0.set("id", IKEConnection.prefix + tunnel.text) }, of: tunnel)
    }
    if let key = before.keys[tunnel], !credentials.keys.values.contains(key) {
      try askLoosely("unload-key", VICIMessage { $0.set("id", key) }, of: tunnel)
    }
  }

  private func proposals(
    _ chosen: [Proposal], for use: ProposalUse, of connection: IKEConnection
  ) throws(CharonFailure) -> [Proposal] {
    if chosen.isEmpty { return Proposal.defaults(for: use, offeredBy: algorithms) }
    let missing = algorithms.map { algorithms in chosen.flatMap { $0.unsupported(by: algorithms) } } ?? []
    guard missing.isEmpty else {
      throw CharonFailure(
        operation: "load-conn \(connection.name)", cause: missing.joined(separator: "; "), isGone: false)
    }
    return chosen
  }

  private func unload(_ tunnel: Name) throws(CharonFailure) {
    for (command, message) in CharonMessages.unloading(tunnel) { try askLoosely(command, message, of: tunnel) }
    credentials.shared.remove(tunnel)
    let before = credentials
    credentials.keys[tunnel] = nil
    try forgetUnused(of: before, tunnel)
  }

  // MARK: Calls

  @discardableResult
  private func ask(
    _ command: String, _ message: VICIMessage = VICIMessage(), of tunnel: Name? = nil
  ) throws(CharonFailure) -> VICIMessage {
    try calling(command + (tunnel.map { " \(IKEConnection.prefix)\($0)" } ?? "")) { (session) throws(VICIFailure) in
      try session.request(command, message, timeout: patience)
    }
  }

  /// Ignores refusals: they mean that what should go is already gone.
  private func askLoosely(_ command: String, _ message: VICIMessage, of tunnel: Name) throws(CharonFailure) {
    do throws(CharonFailure) { try ask(command, message, of: tunnel) } catch {
      if error.isGone { throw error }
    }
  }

  @discardableResult
  private func calling<R>(
    _ operation: String, _ body: (inout VICISession) throws(VICIFailure) -> R
  ) throws(CharonFailure) -> R {
    guard let sessions else {
      throw CharonFailure(operation: operation, cause: "charon is not connected", isGone: true)
    }
    do throws(VICIFailure) { return try body(&sessions.commands) } catch {
      if error.breaksSession { close() }
      throw CharonFailure(operation: operation, error)
    }
  }

  private func close() {
    guard let sessions else { return }
    loop.unwatch(sessions.events.descriptor)
    self.sessions = nil
    handler = nil
  }

  // MARK: Events

  private func watch(_ new: Sessions, _ operation: String) throws(VICIFailure) {
    do throws(SystemCallFailure) {
      try loop.watch(new.events.descriptor, for: .readable) { [weak self] _ in
        self?.assumeIsolated { $0.drain() }
      }
    } catch {
      throw VICIFailure(
        operation: operation, socketPath: configuration.viciSocket,
        cause: .system(call: "epoll_ctl", errno: error.errno))
    }
  }

  private func drain() {
    guard let sessions, let handler else { return }
    do throws(VICIFailure) {
      for _ in 0..<Self.eventsAtOnce {
        guard let (name, message) = try sessions.events.nextEvent() else { return }
        for event in CharonMessages.events(name, message) { handler(event) }
      }
      // No descriptor signals what is already in memory.
      loop.enqueue { [weak self] in self?.assumeIsolated { $0.drain() } }
    } catch {
      close()
      handler(.gone("charon: \(error)"))
    }
  }
}

extension CharonFailure {
  init(operation: String, _ failure: VICIFailure) {
    self.init(operation: operation, cause: failure.description, isGone: failure.breaksSession || failure.isGone)
  }
}
