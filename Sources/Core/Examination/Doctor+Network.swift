internal import RuleSets

/// What other software and the network do to traffic that is, or should be, steered.
extension Doctor {
  private var ranges: KernelRanges { seen.configuration.kernel }

  mutating func checkSizes() {
    guard let sizes = value(seen.sizes, .mtu, "how large packets get through the paths") else { return }
    for size in sizes {
      guard let largest = size.largest, largest < size.mtu else { continue }
      let evidence = "\(size.device) has MTU \(size.mtu); the largest packet that was answered had \(largest) bytes"
      if let tunnel = size.tunnel {
        find(
          .error, .mtu, "packets of \(size.mtu) bytes do not get through path \(size.path)", evidence: evidence,
          fix:
            "\"mtu\": \(largest) of tunnel \(tunnel) in the rule set, or let ICMP \"fragmentation needed\" through "
            + "along the way")
      } else {
        find(
          .warning, .mtu, "packets of \(size.mtu) bytes do not get through path \(size.path)", evidence: evidence,
          fix: "ip link set \(size.device) mtu \(largest)")
      }
    }
  }

  // MARK: Settings of interfaces

  mutating func checkSettings() {
    guard let kernel = value(seen.kernel, .kernel, "the kernel's devices and settings") else { return }
    let ruleSet = (try? seen.ruleSet.get()) ?? nil
    checkDevices(ruleSet, kernel)
    let devices = seen.configuration.uplinks.map(\.interface) + tunnelDevices(ruleSet)
    for device in devices where kernel.links[device] != nil { checkReversePath(device, kernel) }
    for device in seen.configuration.lans + devices where kernel.links[device] != nil {
      guard kernel.settings[InterfaceSetting(device, .forwarding)] == 0 else { continue }
      find(
        .error, .forwarding, "\(device) does not forward", evidence: "net.ipv4.conf.\(device).forwarding is 0",
        fix: "sysctl -w net.ipv4.ip_forward=1, and set it in /etc/sysctl.d too")
    }
  }

  /// A device of another program with a name that one of our tunnels needs is never touched.
  private mutating func checkDevices(_ ruleSet: RuleSet?, _ kernel: ActualState) {
    guard let ruleSet else { return }
    let layout = Layout(ruleSet, seen.configuration, SlotBook(), steering: [])
    for tunnel in ruleSet.tunnels {
      if case .external = tunnel.kind { continue }
      guard let name = layout.device(of: tunnel), let link = kernel.links[name], !link.isOurs else { continue }
      let alias = link.alias.map { ", with the alias \(quoted($0)) of its own" } ?? ""
      find(
        .error, .kernel, "tunnel \(tunnel.name) has no device: an interface that is not ours has the name \(name)",
        evidence: "\(name) is not a device that the agent made\(alias)",
        fix: "ip -d link show \(name) shows what it is; rename or delete it, or change kernel.interface_prefix in "
          + "agent.toml")
    }
  }

  private func tunnelDevices(_ ruleSet: RuleSet?) -> [InterfaceName] {
    guard let ruleSet else { return [] }
    let layout = Layout(ruleSet, seen.configuration, SlotBook(), steering: [])
    return ruleSet.tunnels.compactMap(layout.device(of:))
  }

  /// The kernel uses the larger of the interface's value and that of `all`.
  private mutating func checkReversePath(_ device: InterfaceName, _ kernel: ActualState) {
    let own = kernel.settings[InterfaceSetting(device, .reversePathFilter)] ?? 0
    let all = InterfaceSetting.all.flatMap { kernel.settings[InterfaceSetting($0, .reversePathFilter)] } ?? 0
    guard max(own, all) == 1 else { return }
    let place = own == 1 ? device.text : "all"
    // One that runs sets it to 2, and again whenever another sets it back.
    let isRunning = if case .success = seen.agent { true } else { false }
    let ownFix =
      (isRunning
        ? "backhaul events --kind drift_repaired shows how often another program sets it"
        : "start the agent, which sets it to 2")
      + "; remove rp_filter=1 from /etc/sysctl.d"
    find(
      .error, .reversePath,
      "answers that come by \(device) are dropped if the main table routes their senders "
        + "elsewhere",
      evidence: "net.ipv4.conf.\(place).rp_filter is 1 (strict)",
      fix: own == 1
        ? ownFix
        : "sysctl -w net.ipv4.conf.all.rp_filter=0, and set it in /etc/sysctl.d too; each interface has a setting of "
          + "its own")
  }

  // MARK: Other software

  mutating func checkForeign() {
    guard let foreign = value(seen.foreign, .marks, "what other software has in the kernel") else { return }
    if let trouble = foreign.legacyTrouble {
      find(
        .warning, .marks, "rules of iptables-legacy could not be checked", evidence: trouble,
        fix: "iptables-legacy-save | grep -i mark shows whether any of them changes the agent's bits")
    }
    for rule in foreign.rules { check(rule) }
    for (table, routes) in Dictionary(grouping: foreign.routes, by: \.table).sorted(by: { $0.key < $1.key }) {
      guard let first = routes.first else { continue }
      let count = routes.count == 1 ? "a route" : "\(routes.count) routes"
      find(
        .warning, .tables, "other software has \(count) in table \(table), which is in our range",
        evidence: "\(first.destination) of protocol \(first.origin)",
        fix: "move them, or change kernel.first_table and kernel.last_table in agent.toml; ip route show table "
          + "\(table)")
    }
    for mark in foreign.marks where mark.bits & ranges.markMask.bits != 0 {
      find(
        .warning, .marks,
        "other software changes our bits of the \(mark.isConnections ? "connection mark" : "mark")",
        evidence:
          "\(mark.isLegacy ? "iptables-legacy" : "nft") table \(mark.table) chain \(mark.chain) changes "
          + "\(hexadecimal(mark.bits)), ours are \(ranges.markMask)",
        fix: "give it a mask without our bits, or choose other bits for kernel.mark_mask in agent.toml")
    }
    for table in foreign.flowtables { check(table) }
  }

  private mutating func check(_ rule: ForeignRule) {
    let evidence = "ip rule \(rule.description)"
    if rule.mask & ranges.markMask.bits != 0 {
      find(
        .warning, .marks, "another program's ip rule matches our bits of the mark (\(ranges.markMask))",
        evidence: evidence,
        fix: "give it a mask without our bits, or choose other bits for kernel.mark_mask in "
          + "agent.toml")
    }
    if ranges.priorities.contains(rule.priority.value) {
      find(
        .warning, .priorities, "another program's ip rule is among ours", evidence: evidence,
        fix:
          "move it out of \(ranges.priorities.lowerBound) to \(ranges.priorities.upperBound), or change "
          + "kernel.first_priority and kernel.last_priority in agent.toml"
      )
    }
    if let table = rule.table, ranges.tables.contains(table.value) {
      find(
        .warning, .tables, "another program's ip rule looks up table \(table), which is in our range",
        evidence: evidence,
        fix: "give it another table, or change kernel.first_table and kernel.last_table in "
          + "agent.toml")
    }
  }

  private mutating func check(_ table: Flowtable) {
    let ours = Set(seen.configuration.lans + seen.configuration.uplinks.map(\.interface))
    let ruleSet = (try? seen.ruleSet.get()) ?? nil
    let concerned = table.devices.filter(ours.union(tunnelDevices(ruleSet)).contains)
    guard !concerned.isEmpty else { return }
    find(
      .warning, .offload,
      "connections are offloaded\(table.isHardware ? " to hardware" : ""): they bypass rules and routes until they "
        + "are set up again",
      evidence:
        "nft flowtable \(table.name) of table \(table.table) on "
        + "\(concerned.sorted().map(\.text).joined(separator: ", "))",
      fix: "remove the flow add rule from table \(table.table), or exclude steered traffic from it")
  }
}
