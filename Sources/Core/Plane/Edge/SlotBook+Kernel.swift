package import RuleSets

extension SlotBook {
  /// The book as far as the kernel still shows it, in case its file is lost: live flows carry marks, and a mark that
  /// goes to another owner would send them another way.
  ///
  /// A tunnel is recognised by the map from marks to chains, an uplink by the one table that leads out by it, and a
  /// rule by its sources in `steer`. A slot that is in use without a known owner is given to nothing else as long as
  /// another is free.
  ///
  /// - Parameter actual: read with `marking(...)` as the expected state, otherwise no rule is recognised.
  package static func readBack(
    from actual: ActualState, _ ruleSet: RuleSet, _ configuration: AgentConfiguration
  ) -> SlotBook {
    let ranges = configuration.kernel
    let layout = Layout(ruleSet, configuration, SlotBook(), steering: [])
    var slots: [Owner: Slot] = [:]
    let byDevice = tunnelSlots(actual, ranges)
    for tunnel in ruleSet.tunnels {
      guard let device = layout.device(of: tunnel), let slot = byDevice[device.text] else { continue }
      slots[.tunnel(tunnel.name)] = slot
    }
    for (egress, slot) in egressSlots(actual, ruleSet, ranges) { slots[.egress(egress)] = slot }
    for (egress, slot) in settledSlots(actual, ruleSet, ranges) { slots[.egress(egress)] = slot }
    let known = Set(slots.values)
    for uplink in configuration.uplinks {
      let tables = actual.routes.filter { route in
        guard route.metric == .active, route.destination == .all, let slot = ranges.slot(of: route.table) else {
          return false
        }
        return !known.contains(slot) && route.way.devices == [uplink.interface]
      }
      // With a second one it may be a rule's, which has fallen back to this uplink.
      if let only = tables.first, tables.count == 1, let slot = ranges.slot(of: only.table) {
        slots[.uplink(uplink.interface)] = slot
      }
    }
    return SlotBook(slots, reserved: inUse(actual, ranges))
  }

  /// By the tunnel's device, which names its chains; see `EdgeCompiler+Tunnels`.
  private static func tunnelSlots(_ actual: ActualState, _ ranges: KernelRanges) -> [String: Slot] {
    let map = actual.nftTable?.maps.first { $0.name == EdgeCompiler.owners }
    let prefix = "mark_"
    var found: [String: Slot] = [:]
    for element in map?.elements ?? [] {
      guard case .mark(let mark) = element.key, let slot = ranges.markMask.slot(of: mark),
        element.verdict.chain.hasPrefix(prefix)
      else { continue }
      found[String(element.verdict.chain.dropFirst(prefix.count))] = slot
    }
    return found
  }

  /// Every way in which `steer` may mark what the rules take, one for each slot in use: the kernel's rules come back as
  /// those that they are, so that the marks can be told.
  package static func marking(
    _ seen: ActualState, _ ruleSet: RuleSet, _ configuration: AgentConfiguration
  ) -> NftTable {
    let rules = inUse(seen, configuration.kernel).sorted().flatMap { slot in
      let book = SlotBook(
        Dictionary(ruleSet.backhaulRules.map { (.egress($0.egress.name), slot) }) { first, _ in first })
      // For each slot: what steering rules make of thousands of boxes is not asked for here.
      return EdgeCompiler(Layout(ruleSet, configuration, book, steering: []), seen).steerChain().rules
    }
    return NftTable(
      name: configuration.kernel.nftTable, sets: [], chains: [NftChain(name: "steer", rules: rules)])
  }

  /// By the chains that errors about settled connections are led to: each egress in use has one, whoever uses it.
  private static func settledSlots(
    _ actual: ActualState, _ ruleSet: RuleSet, _ ranges: KernelRanges
  ) -> [(Name, Slot)] {
    let known = Set(ruleSet.egresses.map(\.name) + ruleSet.backhaulRules.map(\.egress.name))
    let map = actual.nftTable?.maps.first { $0.name == EdgeCompiler.owners }
    return (map?.elements ?? []).compactMap { element in
      guard case .mark(let mark) = element.key, let slot = ranges.markMask.slot(of: mark),
        element.verdict.chain.hasPrefix("by_"), let name = Name(String(element.verdict.chain.dropFirst(3))),
        known.contains(name)
      else { return nil }
      return (name, slot)
    }
  }

  private static func egressSlots(
    _ actual: ActualState, _ ruleSet: RuleSet, _ ranges: KernelRanges
  ) -> [(Name, Slot)] {
    let chain = actual.nftTable?.chains.first { $0.name == "steer" }
    return ruleSet.backhaulRules.compactMap { rule in
      let marks = chain?.rules.compactMap { entry -> Mark? in
        guard entry.unrecognised == nil, entry.comment == "rule \(rule.name)",
          case .setMark(let mark, _)? = entry.actions.first
        else { return nil }
        return mark
      }
      guard let first = marks?.first, let slot = ranges.markMask.slot(of: first) else { return nil }
      return (rule.egress.name, slot)
    }
  }

  private static func inUse(_ actual: ActualState, _ ranges: KernelRanges) -> Set<Slot> {
    let marks = actual.rules.compactMap(\.mark).filter { $0.mask == ranges.markMask }
    return Set(marks.compactMap { ranges.markMask.slot(of: $0.mark) })
      .union(actual.routes.compactMap { ranges.slot(of: $0.table) })
      .union(tunnelSlots(actual, ranges).values)
  }
}

extension MarkMask {
  /// The slot that a mark of ours stands for; nil for none, and for bits outside of the mask.
  package func slot(of mark: Mark) -> Slot? {
    mark.value & ~bits == 0 ? Slot(Int(mark.value >> UInt32(bits.trailingZeroBitCount))) : nil
  }
}

extension KernelRanges {
  /// The slot that a table of ours belongs to; nil for a table outside of the range.
  package func slot(of table: TableID) -> Slot? {
    tables.contains(table.value) ? Slot(Int(table.value - tables.lowerBound)) : nil
  }
}
