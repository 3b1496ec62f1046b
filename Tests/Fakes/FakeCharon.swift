package import Agent
package import Core

/// charon in memory, with hubs that answer or not: refuses what charon refuses (a child that no connection has, any call
/// while it is not running), forgets everything when it ends, and says nothing of connections that are not ours.
package actor FakeCharon: CharonPort {
  /// What a hub makes of a negotiation.
  package enum Hub: Sendable { case accepts, refuses(String), silent }

  private var isRunning: Bool
  private var handler: (@Sendable (CharonEvent) -> Void)?
  private var connections: [String: IKEConnection] = [:]
  private var sas: [Name: TunnelAssociations] = [:]
  private var hubs: [Name: Hub] = [:]
  private var lastNumber: UInt32 = 0
  private var loadRefusal: String?
  /// Every step that was taken, in order.
  package private(set) var log: [IKEStep] = []

  package init(isRunning: Bool = true) { self.isRunning = isRunning }

  // MARK: What an operator, a hub or a fault does

  package func start() { isRunning = true }

  /// Whoever is connected is told; what it held is gone.
  package func end() {
    isRunning = false
    connections = [:]
    sas = [:]
    handler?(.gone("charon: closed the connection"))
    handler = nil
  }

  package func set(_ hub: Hub, for tunnel: Name) { hubs[tunnel] = hub }
  package func refuseLoading(_ why: String?) { loadRefusal = why }
  package func addForeignConnection(_ name: String, _ like: IKEConnection) { connections[name] = like }
  package func forgetLog() { log = [] }

  /// `swanctl --load-conns` with files that know nothing of us; the SAs stay.
  package func forgetConnection(of tunnel: Name) { connections[IKEConnection.prefix + tunnel.text] = nil }

  /// The hub ends the SA, or its keys run out.
  package func dropAssociations(of tunnel: Name) {
    sas[tunnel] = nil
    handler?(.changed(tunnel))
  }

  package func rekey(_ tunnel: Name) {
    guard var now = sas[tunnel], var child = now.child else { return }
    lastNumber += 1
    child.number = lastNumber
    now.child = child
    sas[tunnel] = now
    handler?(.changed(tunnel))
  }

  package var names: Set<String> { Set(connections.keys) }
  package func connection(of tunnel: Name) -> IKEConnection? { connections[IKEConnection.prefix + tunnel.text] }

  // MARK: CharonPort

  package func connect(
    _ handler: @escaping @Sendable (CharonEvent) -> Void
  ) async throws(CharonFailure) -> CharonIdentity {
    try check("connect")
    self.handler = handler
    return CharonIdentity(version: "fake 0")
  }

  package func holdings() async throws(CharonFailure) -> CharonHoldings {
    try checkConnected("get-conns")
    return CharonHoldings(connections: Set(connections.keys.compactMap { IKEConnection.tunnel(ofConnection: $0) }))
  }

  package func associations(of tunnel: Name?) async throws(CharonFailure) -> [Name: TunnelAssociations] {
    try checkConnected("list-sas")
    return sas.filter { tunnel == nil || $0.key == tunnel }
  }

  package func apply(_ step: IKEStep) async throws(CharonFailure) {
    try checkConnected("\(step)")
    log.append(step)
    switch step {
    case .load(let connection):
      if let loadRefusal { throw CharonFailure(operation: "load-conn", cause: loadRefusal, isGone: false) }
      connections[connection.name] = connection
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

  private func negotiate(_ tunnel: Name, _ connection: IKEConnection) {
    lastNumber += 2
    switch hubs[tunnel] ?? .accepts {
    case .accepts:
      let transform = ESPTransform(encryption: "AES_GCM_16", keyBits: 256)
      sas[tunnel] = TunnelAssociations(
        ike: IKEAssociation(number: lastNumber - 1, state: .established, local: connection.local),
        child: ChildAssociation(
          number: lastNumber, state: .installed, mode: "tunnel", cipher: "AES_GCM_16-256",
          encapsulation: transform.map { ESPEncapsulation($0, isInUDP: connection.isAlwaysInUDP) }))
      handler?(.changed(tunnel))
    case .refuses(let why): handler?(.trouble(tunnel, why))
    case .silent:
      sas[tunnel] = TunnelAssociations(
        ike: IKEAssociation(number: lastNumber - 1, state: .connecting, local: connection.local))
    }
  }

  private func check(_ operation: String) throws(CharonFailure) {
    if !isRunning { throw CharonFailure(operation: operation, cause: "nobody answers", isGone: true) }
  }

  private func checkConnected(_ operation: String) throws(CharonFailure) {
    try check(operation)
    if handler == nil { throw CharonFailure(operation: operation, cause: "not connected", isGone: true) }
  }
}
