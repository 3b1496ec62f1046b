internal import RuleSets

/// Steps as the lines that an operator would type, with `ip`, `nft` and `sysctl`.
package struct PlanText: Sendable {
  package let ranges: KernelRanges
  /// What `restoreSettings` puts back.
  package let remembered: [InterfaceSetting: Int]

  package init(_ ranges: KernelRanges = KernelRanges(), remembered: [InterfaceSetting: Int] = [:]) {
    self.ranges = ranges
    self.remembered = remembered
  }

  /// The commands for all of a plan's steps, in order.
  package func lines(_ plan: Plan) -> [String] { plan.steps.flatMap { lines($0) } }

  /// The commands for one step, or a `#` comment where no command does the same.
  package func lines(_ step: Step) -> [String] {
    switch step {
    case .createTunnel(let device):
      ["ip link add \(device.name) mtu \(device.mtu) \(tunnel(device))", alias(device)]
    case .changeTunnel(let device): ["ip link change \(device.name) \(tunnel(device))", alias(device)]
    case .deleteDevice(let name): ["ip link delete \(name)"]
    case .setMTU(let name, let mtu): ["ip link set \(name) mtu \(mtu)"]
    case .addAddress(let name, let address, nil): ["ip address add \(address) dev \(name)"]
    case .addAddress(let name, let address, let peer?):
      ["ip address add \(address.address) peer \(peer)/\(address.length) dev \(name)"]
    case .removeAddress(let name, let address): ["ip address del \(address) dev \(name)"]
    case .setUp(let name): ["ip link set \(name) up"]
    case .changeSettings(let values): values.sorted { $0.key < $1.key }.map { line($0.key, $0.value) }
    case .restoreSettings(let settings):
      settings.map { setting in
        remembered[setting].map { line(setting, $0) } ?? "# \(sysctl(setting)): back to what it was"
      }
    case .putRoute(let route): ["ip route replace \(text(route))"]
    case .deleteRoute(let route): ["ip route del \(text(route))"]
    case .addRule(let rule): ["\(Self.command(of: rule)) add \(text(rule))"]
    case .deleteRule(let rule): ["\(Self.command(of: rule)) del \(text(rule))"]
    case .replaceNftTable(let table), .putFastTable(let table):
      // One transaction: the first line makes a table that is not there yet, so that the second never fails.
      ["nft -f - <<'EOF'", "table inet \(table.name)", "delete table inet \(table.name)"] + table.lines + ["EOF"]
    case .changeNftTable(let change):
      ["nft -f - <<'EOF'"] + change.edits.flatMap { lines($0, table: change.wanted.name) } + ["EOF"]
    case .changeSets(let table, let changes):
      ["nft -f - <<'EOF'"] + changes.flatMap { lines($0, table: table) } + ["EOF"]
    case .renewSets(let table, let renewal): ["nft -f - <<'EOF'"] + lines(renewal, table: table) + ["EOF"]
    case .deleteNftTable(let table), .deleteFastTable(let table): ["nft delete table inet \(table)"]
    // conntrack(8) takes no mark to look for beside the one to set.
    case .moveMarks(let migration):
      migration.moves.map {
        "# connections marked \($0.from)/\(migration.mask): conntrack -U --mark \($0.to)/\(migration.mask)"
      }
    }
  }

  private func line(_ setting: InterfaceSetting, _ value: Int) -> String { "sysctl -w \(sysctl(setting))=\(value)" }

  private func tunnel(_ device: TunnelDevice) -> String {
    let kind: String
    let key: String
    switch device.encapsulation {
    case .gre(let number):
      kind = "gre"
      key = number.map { " key \($0)" } ?? ""
    case .ipip:
      kind = "ipip"
      key = ""
    case .xfrm(let number):
      return "type xfrm dev \(device.underlay) if_id 0x\(String(number, radix: 16))"
    }
    return "type \(kind) local \(device.local) remote \(device.remote) ttl \(TunnelDevice.ttl) pmtudisc "
      + "dev \(device.underlay) fwmark \(device.lookupMark)\(key)"
  }

  private func alias(_ device: TunnelDevice) -> String { "ip link set \(device.name) alias '\(device.alias)'" }

  /// Dots part the names of a sysctl, so slashes do where an interface's name has one (sysctl(8)).
  private func sysctl(_ setting: InterfaceSetting) -> String {
    let usesSlashes = setting.interface.text.contains(".")
    let parts = setting.key.rawValue.split(separator: "/").map { $0 == "IF" ? setting.interface.text : String($0) }
    return parts.joined(separator: usesSlashes ? "/" : ".")
  }

  private func text(_ route: TableRoute) -> String {
    let destination = route.destination == .all ? "default" : route.destination.description
    switch route.way {
    case .unreachable:
      return "unreachable \(destination) table \(route.table) metric \(route.metric) proto \(ranges.routeProtocol)"
    case .strange(let strange):
      return "\(strange.words(to: destination)) table \(route.table) metric \(route.metric) "
        + "proto \(ranges.routeProtocol)"
    case .out(let device, let gateway, let terms):
      return "\(destination) \(text(device, gateway)) table \(route.table) metric \(route.metric) "
        + "proto \(ranges.routeProtocol)\(terms.words)"
    case .shared(let shares):
      // ip(8) takes the ways last.
      let ways = shares.map { " nexthop \(text($0.device, $0.gateway)) weight \($0.weight)" }.joined()
      return "\(destination) table \(route.table) metric \(route.metric) proto \(ranges.routeProtocol)\(ways)"
    }
  }

  private func text(_ device: InterfaceName, _ gateway: Gateway?) -> String {
    gateway.map { "via \($0) dev \(device)" } ?? "dev \(device)"
  }

  private func text(_ rule: RoutingRule) -> String { "\(Self.words(of: rule)) protocol \(ranges.routeProtocol)" }

  /// `ip rule`, or `ip -6 rule`.
  package static func command(of rule: RoutingRule) -> String { rule.family == .ipv4 ? "ip rule" : "ip -6 rule" }

  /// A rule as ip(8) takes it, without whose it is.
  package static func words(of rule: RoutingRule) -> String {
    var words = ["priority \(rule.priority)"]
    if rule.inverted { words.append("not") }
    if let source = rule.source { words.append("from \(source)") }
    if let destination = rule.destination { words.append("to \(destination)") }
    if let source = rule.ipv6Source { words.append("from \(source)") }
    if let destination = rule.ipv6Destination { words.append("to \(destination)") }
    if let mark = rule.mark { words.append("fwmark \(mark.mark)/\(mark.mask)") }
    if let incoming = rule.incoming { words.append("iif \(incoming)") }
    words.append(rule.action.words)
    return words.joined(separator: " ")
  }

  private func lines(_ edit: NftEdit, table: String) -> [String] {
    let place = "inet \(table)"
    switch edit {
    case .deleteRule(let chain, let handle): return ["delete rule \(place) \(chain) handle \(handle)"]
    case .flushChain(let name): return ["flush chain \(place) \(name)"]
    case .removeElements(let map):
      let keys = map.elements.map { $0.keyText(in: map.kind) }
      return ["delete element \(place) \(map.name) { \(keys.joined(separator: ", ")) }"]
    case .deleteMap(let name): return ["delete map \(place) \(name)"]
    case .deleteSet(let name): return ["delete set \(place) \(name)"]
    case .fillSet(let set, let isThere):
      return (isThere ? ["delete set \(place) \(set.name)"] : []) + lines(.addSet(set), table: table)
    case .deleteCounter(let name): return ["delete counter \(place) \(name)"]
    case .deleteChain(let name): return ["delete chain \(place) \(name)"]
    case .addCounter(let name): return ["add counter \(place) \(name)"]
    case .addSet(let set):
      return ["add set \(place) \(set.name) { \(set.words.map { "\($0);" }.joined(separator: " ")) }"]
        + lines(SetChange(set: set.name, remove: [], add: set.ranges), table: table)
    case .addMap(let name, let kind):
      return ["add map \(place) \(name) { \(kind.words.map { "\($0);" }.joined(separator: " ")) }"]
    case .putChain(let name, let hook):
      return ["add chain \(place) \(name)" + (hook.map { " { \($0.text) }" } ?? "")]
    case .changeSet(let change): return lines(change, table: table)
    case .addElements(let map):
      let elements = map.elements.map { $0.text(in: map.kind) }
      return ["add element \(place) \(map.name) { \(elements.joined(separator: ", ")) }"]
    case .addRule(let rule, let chain, nil): return ["add rule \(place) \(chain) \(rule.text)"]
    case .addRule(let rule, let chain, let next?):
      return ["insert rule \(place) \(chain) handle \(next) \(rule.text)"]
    }
  }

  /// What comes to the same: nft(8) knows no set beside another.
  private func lines(_ renewal: SetRenewal, table: String) -> [String] {
    renewal.sets.flatMap { set in
      ["flush set inet \(table) \(set.name)"]
        + lines(SetChange(set: set.name, remove: [], add: set.ranges), table: table)
    } + renewal.changes.flatMap { lines($0, table: table) }
  }

  private func lines(_ change: SetChange, table: String) -> [String] {
    [("delete", change.remove), ("add", change.add)].filter { !$0.1.isEmpty }.map { verb, ranges in
      "\(verb) element inet \(table) \(change.set) { \(AddressRanges.text(ranges)) }"
    }
  }
}
