package import RuleSets

/// Where the trouble of a path that is down lies, and what shows it. Worked out again from all evidence at each change.
package struct Diagnosis: Equatable, Sendable {
  /// Which part of the way is broken. The raw values are those of events, the status and the metrics.
  package enum Cause: String, CaseIterable, Equatable, Sendable {
    /// The hub itself, or its line: its outer address is silent while the internet answers.
    case hubDown = "hub_down"
    /// The tunnel alone: the hub's outer address answers, and nothing comes through.
    case tunnelDown = "tunnel_down"
    /// The device, its carrier or the gateway.
    case uplinkDown = "uplink_down"
    /// Something beyond the gateway: it answers, and nothing behind it does.
    case internetDown = "internet_down"
    /// The answers do not tell them apart.
    case unclear
  }

  package var cause: Cause
  /// Sentences, the most telling first; never empty.
  package var evidence: [String]
  /// What would have told more; nil unless the cause is unclear.
  package var gap: Gap?

  /// Who could not be asked, or has never answered.
  package enum Gap: String, CaseIterable, Equatable, Sendable {
    /// Another program's tunnel: what is below it is not known.
    case uplink
    /// An uplink's own path: the internet answers, except for what the path's probes ask.
    case probes
    /// The hub's outer address.
    case hub
    case targets
    case gateway

    func words(_ uplink: InterfaceName?) -> String {
      let uplink = uplink?.text ?? "the uplink"
      return switch self {
      case .uplink: "the underlying uplink is not known"
      case .probes: "only its probes' target does not answer"
      case .hub: "the hub's outer address has never answered by \(uplink): it may be the hub or the tunnel"
      case .targets: "no target of \(uplink) tells whether the internet answers"
      case .gateway: "no gateway of \(uplink) has answered yet, so it may be the uplink or what lies beyond it"
      }
    }
  }

  /// `gap` in words.
  package private(set) var missing: [String] = []

  /// One line: `hub_down: hub 203.0.113.2 does not answer by wan0; 192.0.2.1 answers by wan0`.
  package var summary: String { "\(cause.rawValue): \(words)" }

  /// The evidence in one line.
  package var words: String { (evidence + missing.map { "missing: \($0)" }).joined(separator: "; ") }

  /// What is known about one address that was pinged over the uplink.
  package enum Answer: String, CaseIterable, Equatable, Sendable {
    case answers
    /// It answered once, or an operator says that it does, and now it does not.
    case silent
    /// It has never answered or could not be asked: its silence says nothing.
    case unknown
  }

  /// An address that was asked, and whether it answers.
  package struct Witness: Equatable, Sendable {
    package var address: IPv4Address
    package var answer: Answer

    package init(_ address: IPv4Address, _ answer: Answer) {
      self.address = address
      self.answer = answer
    }
  }

  /// Something on this router that keeps the path from working, whatever lies beyond.
  package enum Obstacle: Equatable, Sendable {
    /// The device of the uplink, its carrier, its address or its route, in words.
    case uplink(String)
    /// The tunnel's own device, in words.
    case tunnel(String)
  }

  /// Everything that is known about a path that is down.
  package struct Evidence: Equatable, Sendable {
    package var isTunnel: Bool
    /// The uplink that the path leaves by; nil for an external tunnel, whose underlay is not ours to know.
    package var uplink: InterfaceName?
    package var obstacle: Obstacle?
    /// Nil if the uplink needs none, or none is known.
    package var gateway: Witness?
    /// The hub's outer address, asked by the uplink; nil for an uplink's own path.
    package var hub: Witness?
    /// Targets on the internet and other hubs, asked by the same uplink.
    package var internet: [Witness]
    /// Another tunnel over the same uplink that carries.
    package var carrying: Name?
    /// What is known about the tunnel's keys. It explains, and decides nothing.
    package var keys: String?

    package init(
      isTunnel: Bool, uplink: InterfaceName?, obstacle: Obstacle? = nil, gateway: Witness? = nil, hub: Witness? = nil,
      internet: [Witness] = [], carrying: Name? = nil, keys: String? = nil
    ) {
      self.isTunnel = isTunnel
      self.uplink = uplink
      self.obstacle = obstacle
      self.gateway = gateway
      self.hub = hub
      self.internet = internet
      self.carrying = carrying
      self.keys = keys
    }

    fileprivate var internetAnswers: Bool { carrying != nil || internet.contains { $0.answer == .answers } }
    fileprivate var internetIsSilent: Bool { !internetAnswers && internet.contains { $0.answer == .silent } }
  }

  package init(cause: Cause, evidence: [String], gap: Gap? = nil, of uplink: InterfaceName? = nil) {
    self.cause = cause
    self.evidence = evidence
    self.gap = gap
    missing = gap.map { [$0.words(uplink)] } ?? []
  }

  /// Nearest to the router first: what is broken here explains all that lies behind it.
  package init(_ evidence: Evidence) {
    switch evidence.obstacle {
    case .uplink(let why)?: self.init(cause: .uplinkDown, evidence: [why])
    case .tunnel(let why)?: self.init(cause: .tunnelDown, evidence: [why])
    case nil:
      let (cause, gap) = Self.cause(evidence)
      self.init(cause: cause, evidence: Self.words(evidence), gap: gap, of: evidence.uplink)
    }
  }

  private static func cause(_ evidence: Evidence) -> (Cause, Gap?) {
    guard evidence.uplink != nil else { return (.unclear, .uplink) }
    if evidence.hub?.answer == .answers { return (.tunnelDown, nil) }
    if evidence.internetAnswers {
      guard evidence.isTunnel else { return (.unclear, .probes) }
      if evidence.hub?.answer == .silent { return (.hubDown, nil) }
      return (.unclear, .hub)
    }
    switch evidence.gateway?.answer {
    case .silent?: return (.uplinkDown, nil)
    // What the probes of an uplink's own path ask is the internet.
    case .answers? where evidence.internetIsSilent || !evidence.isTunnel: return (.internetDown, nil)
    case .answers?: return (.unclear, .targets)
    case .unknown?, nil: return (.unclear, .gateway)
    }
  }

  private static func words(_ evidence: Evidence) -> [String] {
    let by = evidence.uplink.map { " by \($0)" } ?? ""
    var words: [String] = []
    if let hub = evidence.hub { words.append(said(hub, "hub \(hub.address)", by)) }
    if let gateway = evidence.gateway { words.append(said(gateway, "gateway \(gateway.address)", by)) }
    words += evidence.internet.map { said($0, "\($0.address)", by) }
    if let carrying = evidence.carrying { words.append("path \(carrying)\(by) is up") }
    if let keys = evidence.keys { words.append(keys) }
    return words.isEmpty ? ["there was nothing to ask\(by)"] : words
  }

  private static func said(_ witness: Witness, _ name: String, _ by: String) -> String {
    switch witness.answer {
    case .answers: "\(name) answers\(by)"
    case .silent: "\(name) does not answer\(by)"
    case .unknown: "\(name) has never answered\(by)"
    }
  }
}
