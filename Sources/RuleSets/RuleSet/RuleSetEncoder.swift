/// Rule set → document, every default written out. What `RuleSetDecoder` reads back is the same rule set.
package enum RuleSetEncoder {
  /// The bytes of a JSON document.
  package static func encode(_ ruleSet: RuleSet, indented: Bool = false) -> [UInt8] {
    Array(document(ruleSet).jsonText(indented: indented).utf8)
  }

  /// The rule set as a document, with its keys in the order of etc/rule-set.md.
  package static func document(_ ruleSet: RuleSet) -> DocumentValue {
    .object([
      .init("schema", .integer(Int64(RuleSet.schema))),
      .init("device", .string(ruleSet.device.text)),
      .init("revision", .integer(Int64(clamping: ruleSet.revision))),
      .init("role", .string("edge")),
      .init("hubs", .list(ruleSet.hubs.map(hub))),
      .init("ipsec_profiles", .list(ruleSet.profiles.map(profile))),
      .init("tunnels", .list(ruleSet.tunnels.map(tunnel))),
      .init("paths", .list(ruleSet.paths.map(path))),
      .init("probes", .list(ruleSet.probes.map(probe))),
      .init("egresses", .list(ruleSet.egresses.map { .object([.init("name", text($0.name))] + egress($0)) })),
      .init("backhaul_rules", .list(ruleSet.backhaulRules.map { rule($0, of: ruleSet) })),
      .init("direct_destinations", .list(texts(ruleSet.directDestinations))),
    ])
  }

  private static func hub(_ hub: Hub) -> DocumentValue {
    .object([.init("name", .string(hub.name.text)), .init("address", text(hub.address))])
  }

  private static func profile(_ profile: IPsecProfile) -> DocumentValue {
    var members: [DocumentValue.Member] = [.init("name", .string(profile.name.text))]
    func add(_ key: String, _ file: SecretFileName?) { if let file { members.append(.init(key, text(file))) } }
    switch profile.authentication {
    case .psk(let file):
      members.append(.init("auth", .string("psk")))
      add("psk_file", file)
    case .certificate(let files):
      members.append(.init("auth", .string("certificate")))
      add("certificate_file", files.certificate)
      add("key_file", files.key)
      add("authority_file", files.authority)
    }
    if let id = profile.localID { members.append(.init("local_id", text(id))) }
    members.append(.init("remote_id", text(profile.remoteID)))
    // An empty list is refused: what is left to charon is left out.
    if !profile.ikeProposals.isEmpty { members.append(.init("ike_proposals", .list(texts(profile.ikeProposals)))) }
    if !profile.espProposals.isEmpty { members.append(.init("esp_proposals", .list(texts(profile.espProposals)))) }
    members += [
      .init("ike_rekey_seconds", seconds(profile.ikeRekey)), .init("child_rekey_seconds", seconds(profile.childRekey)),
    ]
    if let time = profile.reauthentication { members.append(.init("reauth_seconds", seconds(time))) }
    return .object(
      members + [
        .init("dpd_delay_seconds", seconds(profile.deadPeerDetection)),
        .init("udp_encapsulation", .string(profile.udpEncapsulation.rawValue)),
      ])
  }

  private static func tunnel(_ tunnel: Tunnel) -> DocumentValue {
    var members: [DocumentValue.Member] = [
      .init("name", .string(tunnel.name.text)), .init("kind", .string(tunnel.kind.word)),
    ]
    switch tunnel.kind {
    case .gre(let key): if let key { members.append(.init("key", .integer(Int64(key)))) }
    case .ipip: break
    case .ipsec(let profile): members.append(.init("profile", .string(profile.text)))
    case .external(let device): members.append(.init("device", .string(device.text)))
    }
    members.append(.init("hub", .string(tunnel.hub.text)))
    if let uplink = tunnel.uplink { members.append(.init("uplink", .string(uplink.text))) }
    if let local = tunnel.innerLocal {
      var inner: [DocumentValue.Member] = [.init("local", text(local))]
      if let remote = tunnel.innerRemote { inner.append(.init("remote", text(remote))) }
      members.append(.init("inner", .object(inner)))
    }
    if let protection = tunnel.protection { members.append(.init("protected_by", .string(protection.text))) }
    if let mtu = tunnel.mtu { members.append(.init("mtu", .integer(Int64(mtu)))) }
    return .object(members)
  }

  private static func path(_ path: Path) -> DocumentValue {
    let way: DocumentValue.Member =
      switch path.way {
      case .tunnel(let name): .init("tunnel", .string(name.text))
      case .uplink(let interface): .init("uplink", .string(interface.text))
      }
    var members: [DocumentValue.Member] = [.init("name", .string(path.name.text)), way]
    if let quorum = path.quorum { members.append(.init("quorum", .integer(Int64(quorum)))) }
    if let limits = path.limits { members.append(.init("limits", self.limits(limits))) }
    return .object(members)
  }

  private static func limits(_ limits: PathLimits) -> DocumentValue {
    func limit<Value>(_ limit: PathLimits.Limit<Value>, _ number: (Value) -> DocumentValue) -> DocumentValue {
      .object([.init("over", number(limit.over)), .init("under", number(limit.under))])
    }
    var members: [DocumentValue.Member] = []
    if let loss = limits.loss { members.append(.init("loss_percent", limit(loss) { .integer(Int64($0)) })) }
    if let trip = limits.roundTrip { members.append(.init("rtt_ms", limit(trip, milliseconds))) }
    if let jitter = limits.jitter { members.append(.init("jitter_ms", limit(jitter, milliseconds))) }
    return .object(members + [.init("window", .integer(Int64(limits.window)))])
  }

  private static func probe(_ probe: Probe) -> DocumentValue {
    var members: [DocumentValue.Member] = [
      .init("name", .string(probe.name.text)), .init("path", .string(probe.path.text)),
    ]
    switch probe.kind {
    case .icmp(let target): members += [.init("kind", .string("icmp")), .init("target", text(target))]
    case .http(let check):
      let url = "\(check.scheme.rawValue)://\(check.address):\(check.port)\(check.target)"
      members += [.init("kind", .string("http")), .init("url", .string(url))]
      if let host = check.hostName { members.append(.init("host", .string(host))) }
      members.append(.init("expect_status", .list(check.statuses.map { .integer(Int64($0)) })))
      if let body = check.bodyText { members.append(.init("expect_body", .string(body))) }
    }
    if let source = probe.source { members.append(.init("source", text(source))) }
    members += [
      .init("interval_ms", milliseconds(probe.interval)), .init("timeout_ms", milliseconds(probe.timeout)),
      .init("fall", .integer(Int64(probe.fall))),
    ]
    if let patience = probe.patience { members.append(.init("patience_ms", milliseconds(patience))) }
    members.append(.init("rise", .integer(Int64(probe.rise))))
    return .object(members)
  }

  private static func rule(_ rule: BackhaulRule, of ruleSet: RuleSet) -> DocumentValue {
    // An empty list is refused: what a rule does not name is left out.
    var sources: [DocumentValue.Member] = []
    if !rule.sources.interfaces.isEmpty { sources.append(.init("interfaces", .list(texts(rule.sources.interfaces)))) }
    if !rule.sources.prefixes.isEmpty { sources.append(.init("prefixes", .list(texts(rule.sources.prefixes)))) }
    let isNamed = ruleSet.egresses.contains { $0.name == rule.egress.name }
    return .object(
      [
        .init("name", .string(rule.name.text)), .init("enabled", .boolean(rule.enabled)),
        .init("sources", .object(sources)),
      ] + (isNamed ? [.init("egress", text(rule.egress.name))] : egress(rule.egress))
        + [.init("ipv6", .string(rule.ipv6.rawValue))])
  }

  /// All but the name.
  private static func egress(_ egress: Egress) -> [DocumentValue.Member] {
    [
      .init("paths", .list(egress.tiers.map(tier))),
      .init("fallback", .string(egress.fallback.rawValue)),
      .init("failback", .string(egress.failback.rawValue)),
      .init("drain_limit_seconds", seconds(egress.drainLimit)),
      .init("hold_down_ms", milliseconds(egress.holdDown)),
      .init("flap_half_life_seconds", seconds(egress.damping.halfLife)),
    ]
  }

  private static func tier(_ shares: [PathShare]) -> DocumentValue {
    if shares.count == 1, let only = shares.first { return .string(only.path.text) }
    let balance = shares.map { share in
      DocumentValue.object([
        .init("path", .string(share.path.text)), .init("weight", .integer(Int64(share.weight))),
      ])
    }
    return .object([.init("balance", .list(balance))])
  }

  private static func milliseconds(_ duration: Duration) -> DocumentValue {
    .integer(duration.nanoseconds / 1_000_000)
  }

  private static func seconds(_ duration: Duration) -> DocumentValue { .integer(duration.components.seconds) }

  private static func text(_ value: some CustomStringConvertible) -> DocumentValue { .string(value.description) }

  private static func texts(_ values: [some CustomStringConvertible & Sendable]) -> [DocumentValue] {
    values.map { text($0) }
  }
}
