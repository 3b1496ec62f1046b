internal import RuleSets

/// What is known about paths besides their probes: the devices, the keys of tunnels, and operators' orders.
struct PathCircumstances: Sendable {
  private(set) var links: [InterfaceName: Link] = [:]
  /// Rises with each event of a device.
  private(set) var generation: UInt64 = 0
  /// Which event last reported a device.
  private var touched: [InterfaceName: UInt64] = [:]
  /// What is known about the tunnels' SAs.
  private(set) var keys: [Name: IKENews.Word] = [:]
  var forces: [Name: PathHealth.Force] = [:]

  /// A device came, changed or went.
  mutating func linkChanged(_ name: InterfaceName, _ link: Link?) {
    links[name] = link
    generation += 1
    touched[name] = generation
  }

  /// The devices as they were read.
  ///
  /// - Parameter asOf: the generation from before they were read: what events said since is newer.
  mutating func linksRead(_ actual: [InterfaceName: Link], asOf: UInt64) {
    let newer = touched.filter { $0.value > asOf }
    let told = links.filter { newer[$0.key] != nil }
    // Mostly nothing: then it is one dictionary here and there.
    links = newer.isEmpty ? actual : actual.filter { newer[$0.key] == nil }.merging(told) { $1 }
    touched = newer
  }

  /// Nil: the tunnel is gone. True if these are the first keys of the tunnel.
  mutating func keysChanged(of tunnel: Name, _ word: IKENews.Word?) -> Bool {
    let isFirst = keys[tunnel] == .pending && word == .up
    keys[tunnel] = word
    return isFirst
  }

  // MARK: - What follows

  /// Why the path cannot carry, whatever its probes say.
  func obstacle(of path: WatchPlan.WatchedPath) -> String? {
    if let underlay = path.underlay, let trouble = trouble(of: underlay) { return "uplink \(trouble)" }
    if let trouble = path.obstacle ?? trouble(of: path.device) { return trouble }
    // Without probes, the keys are the only evidence.
    guard path.probes.isEmpty, case .down(let why)? = word(on: path) else { return nil }
    return "no SA: \(why)"
  }

  /// With no probe to ask and no word on the keys, nobody knows; while the first keys are being made no probe does.
  func doubt(about path: WatchPlan.WatchedPath) -> PathHealth.Doubt? {
    guard path.securedTunnel != nil else { return nil }
    return switch word(on: path) {
    case .up?, .down?: nil
    case .pending?: .passing("no SA yet")
    case .unknown?: .lasting("charon does not answer")
    case nil: path.probes.isEmpty ? .passing("no SA yet") : nil
    }
  }

  func remark(on path: WatchPlan.WatchedPath) -> String? {
    switch word(on: path) {
    case .up?: "the SA is up, so the data plane is dead"
    case .down(let why)?: "no SA: \(why)"
    case .pending?: "no SA yet"
    case .unknown?: "charon does not answer"
    case nil: nil
    }
  }

  private func word(on path: WatchPlan.WatchedPath) -> IKENews.Word? { path.securedTunnel.flatMap { keys[$0] } }

  /// Why a device cannot carry.
  func trouble(of device: InterfaceName) -> String? {
    guard let link = links[device] else { return "\(device) does not exist" }
    if !link.isUp { return "\(device) is administratively down" }
    return link.hasCarrier ? nil : "\(device) has no carrier"
  }
}
