package import RuleSets

/// Steering rules: which packets of a LAN go another way than backhaul rules say. The first that takes a packet decides.
///
///     steer ─▶ steered ─▶ pick_1, pick_2 …   one for each piece of the program (`SteeringProgram`); where rules look at
///                                            LANs or code points, each has chains of its own
///                           └▶ ask_1, ask_1_port …   asks a map (`SteeringTree`)
///                           └▶ hit_RULE      counts, and says where to: ─▶ to_EGRESS, the main table, or nowhere
///
/// What a rule decides about is marked then, and no backhaul rule is asked. Whatever else the packet meets on its way, the
/// guard of strict backhaul rules among it, holds for it too.
extension EdgeCompiler {
  static var steered: String { "steered" }

  var isSteering: Bool { !layout.steeringRules.isEmpty }
  /// Something goes by the main table on purpose, with a mark that says so.
  var sendsDirect: Bool { hasDirectDestinations || layout.steeringRules.contains { $0.action == .direct } }

  /// The name of the chain that counts what a steering rule takes.
  package static func hitChain(of rule: Name) -> String { "hit_\(rule)" }
  /// What the name of a set begins with that the router's resolver fills, and of no other.
  private static let domainPrefix = "\(SteeringField.domains.rawValue)_"
  /// The set that has the addresses of a rule's domains.
  package static func domainSet(of rule: Name) -> String { addressSet(.domains, of: rule) }
  /// The rule whose domains' addresses a set of ours has; nil if it is no such set.
  package static func rule(ofDomainSet set: String) -> Name? {
    set.hasPrefix(domainPrefix) ? Name(String(set.dropFirst(domainPrefix.count))) : nil
  }
  private static func egressChain(_ egress: Name) -> String { "to_\(egress)" }
  private static func addressSet(_ field: SteeringField, of rule: Name) -> String { "\(field.rawValue)_\(rule)" }

  /// Part of `steer`.
  func steeringRules() -> [NftRule] {
    guard isSteering else { return [] }
    return [
      NftRule([], [.jump(chain: Self.steered)], comment: "by steering rules"),
      NftRule([marked], [.return], comment: "a steering rule takes it"),
    ]
  }

  /// A rule that asks sets asks the same ones in each context.
  func steeringSets() -> [NftSet] {
    var seen: Set<String> = []
    return layout.steering.all.flatMap(\.program.pieces).flatMap { piece -> [NftSet] in
      guard let rule = piece.rules.first else { return [] }
      return piece.asked.sorted { $0.rawValue < $1.rawValue }.map { field in
        let name = Self.addressSet(field, of: rule.name)
        switch field {
        case .sources: return NftSet(name: name, ranges: AddressRanges.merged(rule.match.sources))
        case .destinations: return NftSet(name: name, ranges: AddressRanges.merged(rule.match.destinations))
        default: return .fed(name)
        }
      }
    }.filter { seen.insert($0.name).inserted } + idleDomainSets
  }

  /// Of rules whose schedule does not hold now: the resolver goes on filling them, so that the first packet is steered when
  /// it does.
  private var idleDomainSets: [NftSet] {
    let asked = Set(layout.steeringRules.map(\.name))
    return layout.ruleSet.steeringRules.filter { $0.enabled && !$0.match.domains.isEmpty && !asked.contains($0.name) }
      .map { .fed(Self.domainSet(of: $0.name)) }
  }

  func steeringMaps() -> [NftMap] {
    layout.steering.all.flatMap { $0.program.pieces.flatMap { $0.trees.values.flatMap { $0.nodes.flatMap(\.maps) } } }
  }

  /// - Parameter guarding: there is no agent yet, and only strict egresses are held to.
  func steeringChains(guarding: Bool) -> [NftChain] {
    guard isSteering else { return [] }
    return layout.steering.all.flatMap(chains) + layout.steeringRules.map { hits($0) }
      + egressChains(guarding: guarding)
  }

  /// The chains of one context. The first one leads to the others.
  private func chains(_ context: SteeringContext, _ program: SteeringProgram) -> [NftChain] {
    var way: [NftRule] = []
    let contexts = layout.steering.all.map(\.context)
    if context == SteeringContext() {
      way.append(NftRule([], [clearMark], comment: "whatever others have put there"))
      way += contexts.filter { $0.lan != nil && $0.dscp == nil }.compactMap { other in
        other.lan.map {
          NftRule([.incoming($0)], [.goto(chain: other.name(Self.steered))], comment: "LAN \($0)")
        }
      }
    }
    if context.dscp == nil {
      way += contexts.filter { $0.lan == context.lan }.compactMap { other in
        other.dscp.map {
          NftRule([.ipv4, .dscp($0.value)], [.goto(chain: other.name(Self.steered))], comment: "DSCP \($0)")
        }
      }
    }
    for (number, piece) in program.pieces.enumerated() {
      if number > 0 { way.append(NftRule([marked], [.return], comment: "it is decided")) }
      let name = piece.rules.count == 1 ? "steering rule \(piece.rules[0].name)" : "\(piece.rules.count) steering rules"
      way.append(NftRule(addressMatches(piece), [.jump(chain: entrance(context, number, piece))], comment: name))
    }
    return [NftChain(name: context.name(Self.steered), rules: way)]
      + program.pieces.enumerated().flatMap { picking(context, $0, $1) }
  }

  private func addressMatches(_ piece: SteeringProgram.Piece) -> [NftRule.Match] {
    guard let rule = piece.rules.first?.name, !piece.asked.isEmpty else { return [] }
    let sets = piece.asked.sorted { $0.rawValue < $1.rawValue }.map { field -> NftRule.Match in
      let set = Self.addressSet(field, of: rule)
      return field == .sources ? .sourceIn(set: set) : .destinationIn(set: set)
    }
    return [.ipv4] + sets
  }

  private func entrance(_ context: SteeringContext, _ number: Int, _ piece: SteeringProgram.Piece) -> String {
    if piece.looks.count > 1 { return context.name("pick") + "_\(number + 1)" }
    let plain = SteeringLook(hasSender: false, hasPort: false)
    return SteeringPlace(context: context, piece: number, look: plain).chain()
  }

  /// The chains that ask a piece's maps: first the one that knows which way to look.
  private func picking(
    _ context: SteeringContext, _ number: Int, _ piece: SteeringProgram.Piece
  ) -> [NftChain] {
    let looks = piece.looks.filter { piece.trees[$0]?.nodes.isEmpty == false }
    func place(_ look: SteeringLook) -> SteeringPlace { SteeringPlace(context: context, piece: number, look: look) }
    let asking = looks.flatMap { look in
      (piece.trees[look]?.nodes ?? []).map { node in
        var rules = Self.asks(node.maps)
        let portless = SteeringLook(hasSender: look.hasSender, hasPort: false)
        if look.hasPort, looks.contains(portless) {
          // A header that is cut off has no port to read; conntrack calls such a packet invalid.
          rules.append(
            NftRule([.invalid], [.goto(chain: place(portless).chain())], comment: "its ports are cut off"))
        }
        return NftChain(name: place(look).chain(node.suffix), rules: rules)
      }
    }
    guard piece.looks.count > 1 else { return asking }
    // What has most comes first.
    let leads = looks.flatMap { look -> [NftRule] in
      let sender: [NftRule.Match] = look.hasSender ? [.ethernet] : []
      let matches: [[NftRule.Match]] =
        look.hasPort ? [IPProtocol.tcp, IPProtocol.udp].map { sender + [.ipv4, .protocolIs($0)] } : [sender]
      let words = (look.hasSender ? ["an Ethernet address"] : []) + (look.hasPort ? ["ports"] : [])
      return matches.map {
        NftRule(
          $0, [.goto(chain: place(look).chain())],
          comment: words.isEmpty ? "any other" : "it has \(words.joined(separator: " and "))")
      }
    }
    return [NftChain(name: entrance(context, number, piece), rules: leads)] + asking
  }

  private static func asks(_ maps: [NftMap]) -> [NftRule] {
    maps.compactMap { map in
      guard case .boxes(let fields) = map.kind else { return nil }
      // Without these nft would list the fields as bytes of some header, and not load that again.
      return NftRule(
        (fields.contains(.sender) ? [.ethernet] : []) + [.ipv4], [.choose(by: .fields(fields), map: map.name)],
        comment: "the first that takes it")
    }
  }

  private func hits(_ rule: SteeringRule) -> NftChain {
    let actions: [NftRule.Action] =
      switch rule.action {
      case .drop: [.count, .drop]
      case .direct: [.count, setMark(layout.bypass)]
      case .egress(let name): [.count, .goto(chain: Self.egressChain(name))]
      }
    return NftChain(
      name: Self.hitChain(of: rule.name), rules: [NftRule([], actions, comment: "steering rule \(rule.name)")])
  }

  private func egressChains(guarding: Bool) -> [NftChain] {
    layout.activeEgresses.filter { !$0.steering.isEmpty }.map { active in
      let title = "egress \(active.egress.name)"
      // Without an agent nobody leads its table anywhere, and what may leave must not wait for one.
      let rules =
        guarding && !active.egress.isStrict
        ? [NftRule([], [setMark(layout.passed)], comment: "\(title): not steered yet")]
        : marking(active.egress, active.mark, title, [])
      return NftChain(name: Self.egressChain(active.egress.name), rules: rules)
    }
  }

  // MARK: - Before it leaves

  /// Steering rules may send packets to a strict egress, and nothing else knows which these are.
  private var strictSteered: [Layout.ActiveEgress] {
    layout.activeEgresses.filter { $0.egress.isStrict && !$0.steering.isEmpty }
  }

  /// Part of `guard`, before it asks whose source it is.
  func guardSteered() -> [NftRule] {
    guard !strictSteered.isEmpty else { return [] }
    let kept = Set(strictSteered.flatMap { keepingWays(of: $0.egress) }.filter(\.isTunnel).map(\.mark)).sorted()
    return kept.map {
      NftRule([isMarked($0)], [.count, .drop], comment: "live on a tunnel, never by another way")
    } + [NftRule([unmarked], [.goto(chain: Self.guardedLost)], comment: "it has no mark, or has lost it")]
  }

  /// What has no mark is judged again: another program may have cleared it.
  func guardedLostChains() -> [NftChain] {
    guard !strictSteered.isEmpty else { return [] }
    let rules =
      [NftRule([], [.jump(chain: Self.steered)], comment: "by steering rules")] + strictSteered.flatMap(holdingMarked)
      + [
        NftRule([], [clearMark], comment: "was for this look alone"),
        NftRule([], [.goto(chain: Self.guardedSourcesChain)], comment: "by its source"),
      ]
    return [NftChain(name: Self.guardedLost, rules: rules)]
  }

  /// Holds what has a strict egress's mark. By an uplink that the egress lists it may leave, if its source's rule lets it.
  func holdingMarked(_ active: Layout.ActiveEgress) -> [NftRule] {
    let own = (layout.ownUplinks(of: active.egress) + layout.underlays(of: active.egress)).map { uplink in
      NftRule(
        [isMarked(active.mark), .outgoing(uplink)],
        active.steering.isEmpty ? [.return] : [.goto(chain: Self.guardedSourcesChain)],
        comment: "\(active.title): its own path \(uplink)")
    }
    return own + [
      NftRule(
        [isMarked(active.mark)], [.count, .drop], comment: "\(active.title): \(active.egress.fallback.rawValue)")
    ]
  }

  static var guardedSourcesChain: String { "guard_source" }
  private static var guardedLost: String { "guard_lost" }

  /// What a steering rule has sent by an uplink although the source's rule is strict, where that one allows it.
  func bypassing(_ rule: BackhaulRule, _ matches: [NftRule.Match]) -> [NftRule] {
    guard rule.allowBypass, isSteering else { return [] }
    let marks = [layout.bypass] + layout.activeEgresses.filter { !$0.steering.isEmpty }.map(\.mark)
    return marks.filter { $0 != layout.mark(.egress(rule.egress.name)) }.map {
      NftRule(matches + [isMarked($0)], [.return], comment: "rule \(rule.name): a steering rule may send it")
    }
  }
}
