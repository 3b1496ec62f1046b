internal import RuleSets

/// One object of ours that the kernel has differently from what the rule set wants.
package struct Difference: Equatable, Sendable {
  /// The kernel lacks the object, has it for no reason, or has it with other values.
  package enum Kind: String, Equatable, Sendable { case missing, superfluous, changed }

  package var kind: Kind
  /// The object as ip(8), nft(8) and sysctl(8) write it: as it should be, or as it is if it is superfluous.
  package var object: String
  /// How the kernel has it; nil unless it is changed.
  package var found: String?

  package init(_ kind: Kind, _ object: String, found: String? = nil) {
    self.kind = kind
    self.object = object
    self.found = found
  }

  /// `+` missing, `-` superfluous, `~` changed.
  package var line: String {
    switch kind {
    case .missing: "+ \(object)"
    case .superfluous: "- \(object)"
    case .changed: "~ \(object)" + (found.map { ", not \($0)" } ?? "")
    }
  }
}

extension Difference {
  /// Everything that differs; empty if nothing would be changed. A device that is missing stands for all that it would
  /// carry.
  ///
  /// - Parameter active: what `WatchMachine` has chosen for its tables, nil for none; a table that is not in it is not
  ///   compared.
  package static func all(
    desired: DesiredState, actual: ActualState, remembered: [InterfaceSetting: Int], ranges: KernelRanges,
    active: [TableID: TableRoute.Way?]
  ) -> [Difference] {
    let plan = Planner.plan(desired: desired, actual: actual, remembered: remembered)
    let comparison = Comparison(
      actual: actual, remembered: remembered, text: PlanText(ranges, remembered: remembered),
      wantsFlowtable: desired.fastTable != nil,
      made: Set(
        plan.steps.compactMap { step in
          if case .createTunnel(let device) = step { device.name } else { nil }
        }))
    // A large change of sets may be many steps. Nobody cares about the pieces, so it is reported once, as a whole.
    let steps = plan.steps.filter { !$0.isOfSetsAlone }
    let sets = steps.count == plan.steps.count ? [] : comparison.sets(desired.nftTable)
    return steps.flatMap(comparison.differences) + sets + comparison.activeRoutes(active)
  }
}

extension Step {
  fileprivate var isOfSetsAlone: Bool {
    switch self {
    case .changeSets, .renewSets: true
    default: false
    }
  }
}

private struct Comparison {
  let actual: ActualState
  let remembered: [InterfaceSetting: Int]
  let text: PlanText
  let wantsFlowtable: Bool
  /// Devices that the plan makes again.
  let made: Set<InterfaceName>

  func differences(_ step: Step) -> [Difference] {
    switch step {
    case .createTunnel(let device):
      guard let link = actual.links[device.name] else { return [Difference(.missing, object(step))] }
      return [Difference(.changed, object(step), found: words(link))]
    case .changeTunnel(let device):
      return [Difference(.changed, object(step), found: actual.links[device.name].map(words))]
    case .deleteDevice(let name): return made.contains(name) ? [] : [Difference(.superfluous, "ip link \(name)")]
    case .setMTU(let name, _):
      return [Difference(.changed, object(step), found: actual.links[name].map { "\($0.mtu)" })]
    case .addAddress(let name, _, _): return made.contains(name) ? [] : [Difference(.missing, object(step))]
    case .removeAddress(let name, _): return made.contains(name) ? [] : [Difference(.superfluous, object(step))]
    case .setUp(let name): return made.contains(name) ? [] : [Difference(.changed, object(step), found: "down")]
    case .changeSettings(let values):
      return values.sorted { $0.key < $1.key }.filter { !made.contains($0.key.interface) }.map { setting, value in
        changed(setting, .changeSettings([setting: value]))
      }
    case .restoreSettings(let settings):
      // The setting may have its old value already.
      return settings.filter { remembered[$0] != actual.settings[$0] }.map { changed($0, .restoreSettings([$0])) }
    case .putRoute(let route):
      let present = actual.routes.first {
        ($0.table, $0.destination, $0.metric) == (route.table, route.destination, route.metric)
      }
      return [Difference(present == nil ? .missing : .changed, object(step), found: present?.words)]
    case .deleteRoute, .deleteRule: return [Difference(.superfluous, object(step))]
    case .addRule: return [Difference(.missing, object(step))]
    case .replaceNftTable(let table):
      guard let present = actual.nftTable else { return [Difference(.missing, "nft table inet \(table.name)")] }
      return TableComparison(table, present).differences
    case .changeNftTable(let change):
      return actual.nftTable.map { TableComparison(change.wanted, $0).differences } ?? []
    case .changeSets, .renewSets: return []
    // It is taken away for as long as something else changes.
    case .putFastTable(let table) where actual.fastTable == table: return []
    case .deleteFastTable where wantsFlowtable: return []
    case .putFastTable(let table):
      guard var present = actual.fastTable else { return [Difference(.missing, "nft table inet \(table.name)")] }
      // A device that is missing stands for its place there too.
      let devices = made.intersection(table.flowtables.flatMap(\.devices))
      present.flowtables = present.flowtables.map {
        NftFlowtable(name: $0.name, priority: $0.priority, devices: $0.devices + devices)
      }
      return TableComparison(table, present).differences
    case .deleteNftTable(let table), .deleteFastTable(let table):
      return [Difference(.superfluous, "nft table inet \(table)")]
    // Its ip rules tell of the older mask.
    case .moveMarks: return []
    }
  }

  /// Differences of a table where only sets differ.
  func sets(_ wanted: NftTable?) -> [Difference] {
    guard let wanted, let present = actual.nftTable else { return [] }
    let ranges = Dictionary(present.sets.map { ($0.name, $0.ranges) }) { first, _ in first }
    return wanted.sets.filter { !$0.isFed }.flatMap { set in
      TableComparison.elements(SetChange(from: ranges[set.name] ?? [], to: set), wanted.name)
    }
  }

  private func changed(_ setting: InterfaceSetting, _ step: Step) -> Difference {
    Difference(.changed, object(step), found: actual.settings[setting].map { "\($0)" })
  }

  func activeRoutes(_ active: [TableID: TableRoute.Way?]) -> [Difference] {
    active.sorted { $0.key < $1.key }.compactMap { table, way in
      let present = actual.routes.first { $0.table == table && $0.metric == .active && $0.destination == .all }
      let wanted = way.map { TableRoute(table: table, metric: .active, way: $0) }
      guard present != wanted else { return nil }
      guard let wanted else { return present.map { Difference(.superfluous, object(.deleteRoute($0))) } }
      return Difference(present == nil ? .missing : .changed, object(.putRoute(wanted)), found: present?.words)
    }
  }

  /// The step's command without its verb: `ip rule priority 9220 …`.
  private func object(_ step: Step) -> String {
    let line = text.lines(step).first ?? ""
    if case .addRule(let rule) = step { return ruleObject(line, PlanText.command(of: rule)) }
    if case .deleteRule(let rule) = step { return ruleObject(line, PlanText.command(of: rule)) }
    let words = line.split(separator: " ", maxSplits: 3).map(String.init)
    guard words.count > 2 else { return words.joined(separator: " ") }
    if words[0] == "sysctl" { return "sysctl " + words[2...].joined(separator: " ") }
    return "\(words[0]) \(words[1]) " + words[3...].joined(separator: " ")
  }

  private func ruleObject(_ line: String, _ command: String) -> String {
    // What follows the verb, " add " or " del ".
    command + " " + line.dropFirst(command.count + 5)
  }

  private func words(_ link: Link) -> String {
    guard let tunnel = link.tunnel else { return "another kind of device" }
    let rest = (tunnel.hasMore ? " and more" : "") + (link.isEnslaved ? " of another device" : "")
    let underlay = tunnel.underlay?.text ?? "none"
    switch tunnel.encapsulation {
    case .xfrm(let number): return "xfrm if_id \(hexadecimal(number)) on \(underlay)\(rest)"
    case .gre, .ipip:
      let kind = tunnel.encapsulation == .ipip ? "ipip" : "gre"
      return
        "\(kind) \(tunnel.local) to \(tunnel.remote) on \(underlay) fwmark \(tunnel.lookupMark) ttl \(tunnel.ttl)\(rest)"
    }
  }
}

/// Rule by rule, where the kernel has a table of ours that is another one.
private struct TableComparison {
  private let wanted: NftTable
  private let present: NftTable

  init(_ wanted: NftTable, _ present: NftTable) {
    self.wanted = wanted
    self.present = present
  }

  var differences: [Difference] {
    let chains = Dictionary(present.chains.map { ($0.name, $0) }) { first, _ in first }
    let sets = Dictionary(present.sets.map { ($0.name, $0) }) { first, _ in first }
    var all: [Difference] = []
    if present.flags != wanted.flags {
      all.append(Difference(.changed, "nft table inet \(wanted.name): its flags", found: "\(present.flagWords)"))
    }
    all += flowtableDifferences
    for chain in wanted.chains {
      guard let other = chains[chain.name] else {
        all.append(Difference(.missing, "nft chain inet \(wanted.name) \(chain.name)"))
        continue
      }
      all += compare(chain, other)
    }
    let known = Set(wanted.chains.map(\.name))
    all += present.chains.filter { !known.contains($0.name) }.map {
      Difference(.superfluous, "nft chain inet \(wanted.name) \($0.name)")
    }
    for set in wanted.sets {
      guard let other = sets[set.name] else {
        all.append(Difference(.missing, "nft set inet \(wanted.name) \(set.name)"))
        continue
      }
      if !set.isFed { all += Self.elements(SetChange(from: other.ranges, to: set), wanted.name) }
    }
    all += mapDifferences + counterDifferences
    let expected = Set(wanted.sets.map(\.name))
    return all
      + present.sets.filter { !expected.contains($0.name) }.map {
        Difference(.superfluous, "nft set inet \(wanted.name) \($0.name)")
      }
  }

  private var flowtableDifferences: [Difference] {
    func place(_ table: NftFlowtable) -> String { "nft flowtable inet \(wanted.name) \(table.name)" }
    let others = Dictionary(present.flowtables.map { ($0.name, $0) }) { first, _ in first }
    let known = Set(wanted.flowtables.map(\.name))
    return wanted.flowtables.filter { others[$0.name] != $0 }.map { table in
      guard let other = others[table.name] else { return Difference(.missing, place(table)) }
      return Difference(
        .changed, place(table) + " { \(Self.words(table)) }", found: "{ \(Self.words(other)) }")
    } + present.flowtables.filter { !known.contains($0.name) }.map { Difference(.superfluous, place($0)) }
  }

  private static func words(_ table: NftFlowtable) -> String {
    table.devices.map { "\"\($0)\"" }.joined(separator: ", ")
  }

  private var counterDifferences: [Difference] {
    let (had, has) = (Set(present.counters), Set(wanted.counters))
    func place(_ name: String) -> String { "nft counter inet \(wanted.name) \(name)" }
    return wanted.counters.filter { !had.contains($0) }.map { Difference(.missing, place($0)) }
      + present.counters.filter { !has.contains($0) }.map { Difference(.superfluous, place($0)) }
  }

  private var mapDifferences: [Difference] {
    let others = Dictionary(present.maps.map { ($0.name, $0) }) { first, _ in first }
    let known = Set(wanted.maps.map(\.name))
    let foreign = present.maps.filter { !known.contains($0.name) }.map {
      Difference(.superfluous, "nft map inet \(wanted.name) \($0.name)")
    }
    return wanted.maps.flatMap { map -> [Difference] in
      guard let other = others[map.name], other.kind == map.kind else {
        return [Difference(.missing, "nft map inet \(wanted.name) \(map.name)")]
      }
      let (old, new) = (Set(other.elements), Set(map.elements))
      let place = "nft element inet \(wanted.name) \(map.name)"
      return map.elements.filter { !old.contains($0) }.map {
        Difference(.missing, "\(place) { \($0.text(in: map.kind)) }")
      }
        + other.elements.filter { !new.contains($0) }.map {
          Difference(.superfluous, "\(place) { \($0.text(in: map.kind)) }")
        }
    } + foreign
  }

  private func compare(_ chain: NftChain, _ other: NftChain) -> [Difference] {
    let place = "nft rule inet \(wanted.name) \(chain.name)"
    var left: [String: Int] = [:]
    for rule in other.rules { left[rule.text, default: 0] += 1 }
    var all: [Difference] = []
    for rule in chain.rules {
      if let count = left[rule.text], count > 0 {
        left[rule.text] = count - 1
      } else {
        all.append(Difference(.missing, "\(place) \(rule.text)"))
      }
    }
    for rule in other.rules {
      guard let count = left[rule.text], count > 0 else { continue }
      left[rule.text] = count - 1
      all.append(Difference(.superfluous, "\(place) \(rule.text)"))
    }
    if chain.hook != other.hook {
      all.append(Difference(.changed, "nft chain inet \(wanted.name) \(chain.name): its hook"))
    }
    if all.isEmpty && chain.rules != other.rules {
      all.append(Difference(.changed, "nft chain inet \(wanted.name) \(chain.name): the order of its rules"))
    }
    return all
  }

  /// More of one set are counted, not listed.
  private static let mostElements = 8

  static func elements(_ change: SetChange, _ table: String) -> [Difference] {
    [(Difference.Kind.missing, change.add), (.superfluous, change.remove)].filter { !$0.1.isEmpty }.map {
      kind, ranges in
      let more = ranges.count > mostElements ? " and \(ranges.count - mostElements) more" : ""
      let shown = AddressRanges.text(Array(ranges.prefix(mostElements)))
      return Difference(kind, "nft element inet \(table) \(change.set) { \(shown) }\(more)")
    }
  }
}
