package import Agent
package import Core
package import RuleSets

/// A charon in memory, with hubs that answer or not: refuses what charon refuses (a child that no connection has,
/// secrets that cannot be used, any call while it is not running), forgets everything when it ends, and says nothing of
/// connections that are not ours.
package actor FakeCharon: CharonPort {
  /// What a hub makes of a negotiation.
  package enum Hub: Sendable { case accepts, refuses(String), silent }

  private let clock: @Sendable () -> Instant?
  private var isRunning: Bool
  private var handler: (@Sendable (CharonEvent) -> Void)?
  private var connections: [String: IKEConnection] = [:]
  private var sas: [Name: TunnelAssociations] = [:]
  private var hubs: [Name: Hub] = [:]
  private var everyHub = Hub.accepts
  private var lastNumber: UInt32 = 0
  /// Tunnels whose secrets another program removed.
  private var withoutSecrets: Set<Name> = []
  private var spoiltFiles: [String: String] = [:]
  private var lackingKeywords: Set<String> = []
  private var refusal: (@Sendable (IKEStep) -> String?)?
  private var lookRefusal: CharonFailure?
  private var holdingsRefusal: CharonFailure?
  private var dropsAtOnce: String?
  private var forgetsWhatItIsGiven = false
  private var isHeldAt: (@Sendable (IKEStep) -> Bool)?
  private var held: CheckedContinuation<Void, Never>?
  /// Every step that was asked for, in order.
  package private(set) var log: [IKEStep] = []
  /// How many requests it had, and how many connections.
  package private(set) var calls = 0
  package private(set) var connects = 0

  /// - Parameter clock: for the SAs' ages; without one they have none.
  package init(isRunning: Bool = true, clock: @escaping @Sendable () -> Instant? = { nil }) {
    self.isRunning = isRunning
    self.clock = clock
  }

  // MARK: What an operator, a hub or a fault does

  package func start() { isRunning = true }

  /// Connected clients are told; everything it held is gone.
  package func end() {
    isRunning = false
    connections = [:]
    sas = [:]
    withoutSecrets = []
    dropSession("charon: closed the connection")
  }

  /// The connection breaks, but charon keeps everything.
  package func dropSession(_ why: String) {
    handler?(.gone(why))
    handler = nil
  }

  /// From now on each connection breaks at the first question; nil: no longer.
  package func dropEverySession(_ why: String?) { dropsAtOnce = why }

  package func set(_ hub: Hub, for tunnel: Name) { hubs[tunnel] = hub }
  package func setEveryHub(_ hub: Hub) { everyHub = hub }
  package func refuseLoading(_ why: String?) {
    refusal = { step in if case .load = step { why } else { nil } }
  }
  package func refuse(_ which: (@Sendable (IKEStep) -> String?)?) { refusal = which }
  package func refuseLooks(_ failure: CharonFailure?) { lookRefusal = failure }
  package func refuseHoldings(_ failure: CharonFailure?) { holdingsRefusal = failure }
  package func forgetWhatIsGiven(_ does: Bool) { forgetsWhatItIsGiven = does }

  /// A file of secrets that cannot be used, and why.
  package func spoil(_ file: String, _ why: String) { spoiltFiles[file] = why }
  package func lack(_ keyword: String) { lackingKeywords.insert(keyword) }

  package func addForeignConnection(_ name: String, _ like: IKEConnection) { connections[name] = like }
  package func forgetLog() { log = [] }

  /// `swanctl --load-conns` with files that know nothing of us; the SAs stay.
  package func forgetConnection(of tunnel: Name) { connections[IKEConnection.prefix + tunnel.text] = nil }
  /// `swanctl --load-creds --clear`.
  package func forgetSecrets(of tunnel: Name) { withoutSecrets.insert(tunnel) }

  /// The hub ends the SA, or its keys run out.
  package func dropAssociations(of tunnel: Name) {
    sas[tunnel] = nil
    handler?(.changed(tunnel))
  }

  /// The same, without an event.
  package func dropAssociationsSilently(of tunnel: Name) { sas[tunnel] = nil }

  /// An SA from an earlier life of the agent.
  package func put(_ associations: TunnelAssociations, for tunnel: Name) { sas[tunnel] = associations }

  package func rekey(_ tunnel: Name) {
    guard var now = sas[tunnel], var child = now.child else { return }
    lastNumber += 1
    child.number = lastNumber
    child.installed = clock()
    now.child = child
    sas[tunnel] = now
    handler?(.changed(tunnel))
  }

  /// A line of the log that says what went wrong.
  package func tell(_ trouble: String, _ certainty: IKETrouble.Certainty = .answer, of tunnel: Name) {
    handler?(.trouble(tunnel, IKETrouble(trouble, certainty)))
  }

  /// A hub that was silent is back, and answers the next packet.
  package func hubComesBack(for tunnel: Name) {
    hubs[tunnel] = .accepts
    if let connection = connections[IKEConnection.prefix + tunnel.text], sas[tunnel] != nil {
      negotiate(tunnel, connection)
    }
  }

  package var names: Set<String> { Set(connections.keys) }
  package func connection(named name: String) -> IKEConnection? { connections[name] }
  package func connection(of tunnel: Name) -> IKEConnection? { connections[IKEConnection.prefix + tunnel.text] }
  package func associations(now tunnel: Name) -> TunnelAssociations? { sas[tunnel] }

  /// The next step that matches is left unanswered until `goOn`.
  package func hold(at which: @escaping @Sendable (IKEStep) -> Bool) { isHeldAt = which }
  package var isHeld: Bool { held != nil }
  package func goOn() {
    held?.resume()
    held = nil
  }

  // MARK: CharonPort

  package func connect(
    _ handler: @escaping @Sendable (CharonEvent) -> Void
  ) async throws(CharonFailure) -> CharonIdentity {
    connects += 1
    try check("connect to charon")
    self.handler = handler
    return CharonIdentity(version: "fake 0")
  }

  package func holdings() async throws(CharonFailure) -> CharonHoldings {
    try checkConnected("get-conns")
    if let holdingsRefusal { throw holdingsRefusal }
    let ours = Set(connections.keys.compactMap { IKEConnection.tunnel(ofConnection: $0) })
    return CharonHoldings(connections: ours, withoutCredentials: withoutSecrets.intersection(ours))
  }

  package func associations(of tunnel: Name?) async throws(CharonFailure) -> [Name: TunnelAssociations] {
    try checkConnected("list-sas")
    if let lookRefusal { throw lookRefusal }
    return sas.filter { tunnel == nil || $0.key == tunnel }
  }

  package func apply(_ step: IKEStep) async throws(CharonFailure) {
    try checkConnected("\(step)")
    log.append(step)
    if isHeldAt?(step) == true {
      isHeldAt = nil
      await withCheckedContinuation { held = $0 }
      try checkConnected("\(step)")
    }
    if let why = refusal?(step) { throw CharonFailure(operation: "\(step)", cause: why, isGone: false) }
    switch step {
    case .load(let connection): try load(connection)
    case .unload(let tunnel):
      connections[IKEConnection.prefix + tunnel.text] = nil
      sas[tunnel] = nil
    case .terminate(let tunnel):
      if sas.removeValue(forKey: tunnel) != nil { handler?(.changed(tunnel)) }
    case .initiate(let tunnel):
      guard let connection = connections[IKEConnection.prefix + tunnel.text] else {
        throw CharonFailure(
          operation: "initiate", cause: "CHILD_SA config '\(tunnel)' not found", isGone: false)
      }
      negotiate(tunnel, connection)
    }
  }

  private func load(_ connection: IKEConnection) throws(CharonFailure) {
    let files: [String] =
      switch connection.credentials {
      case .psk(let file): [file]
      case .certificate(let certificate, let key, let authority): [certificate, key, authority]
      }
    for file in files {
      if let why = spoiltFiles[file] { throw CharonFailure(operation: "read \(file)", cause: why, isGone: false) }
    }
    for word in (connection.ikeProposals + connection.espProposals).flatMap({ $0.transforms.map(\.keyword) })
    where lackingKeywords.contains(word) {
      throw CharonFailure(operation: "load-conn \(connection.name)", cause: "charon lacks \(word)", isGone: false)
    }
    if forgetsWhatItIsGiven { return }
    withoutSecrets.remove(connection.tunnel)
    connections[connection.name] = connection
  }

  private func negotiate(_ tunnel: Name, _ connection: IKEConnection) {
    lastNumber += 2
    switch hubs[tunnel] ?? everyHub {
    case .accepts:
      let transform = ESPTransform(encryption: "AES_GCM_16", keyBits: 256)
      sas[tunnel] = TunnelAssociations(
        ike: IKEAssociation(number: lastNumber - 1, state: .established, local: connection.local),
        child: ChildAssociation(
          number: lastNumber, state: .installed, mode: "tunnel", cipher: "AES_GCM_16-256",
          encapsulation: transform.map { ESPEncapsulation($0, isInUDP: connection.isAlwaysInUDP) },
          isInUDP: connection.isAlwaysInUDP, installed: clock()))
      handler?(.changed(tunnel))
    case .refuses(let why): handler?(.trouble(tunnel, IKETrouble(why, .answer)))
    case .silent:
      sas[tunnel] = TunnelAssociations(
        ike: IKEAssociation(number: lastNumber - 1, state: .connecting, local: connection.local))
    }
  }

  private func check(_ operation: String) throws(CharonFailure) {
    calls += 1
    if !isRunning { throw CharonFailure(operation: operation, cause: "nobody answers", isGone: true) }
  }

  private func checkConnected(_ operation: String) throws(CharonFailure) {
    try check(operation)
    if let dropsAtOnce {
      handler = nil
      throw CharonFailure(operation: "get-conns", cause: dropsAtOnce, isGone: true)
    }
    if handler == nil { throw CharonFailure(operation: operation, cause: "not connected", isGone: true) }
  }
}
