extension SteeringRule: Described {
  package static let blank = SteeringRule(name: .blank, match: SteeringMatch(), action: .drop)

  package mutating func fields(_ fields: Fields) {
    /// What reports and events call it. No backhaul rule may have the same.
    fields.name(&name, of: .steering)
    /// A disabled rule is checked like the others and takes nothing.
    fields.standard("enabled", .boolean, &enabled)
    /// See below.
    fields.object("match", &match, expected: "an object with lans, sources, destinations, ports or the like")
    /// `egress`: packets go by an egress of the rule set, by the paths and with the fallback that it says. `direct`: they
    /// go where the router's main table says, by the local WAN as a rule. `drop`: they go nowhere.
    let kind = fields.kind("action", .choice(), &action.key)
    fields.only(.egress, of: kind) {
      /// Where they go.
      /// - Value: name of an egress
      fields.required("egress", .name, &action.name)
    }
  }

  package static func refusal(of key: String, in kind: String?, known kinds: [String]) -> String? {
    kinds.isEmpty ? nil : "only a rule with action \"egress\" names one"
  }

  /// The words that `action` may have.
  enum ActionWord: String, CaseIterable, Writable { case egress, direct, drop }
}

/// What actions hold, as the document's fields: where another action is set, to set its egress has no effect.
extension SteeringRule.Action {
  fileprivate var key: SteeringRule.ActionWord {
    get {
      switch self {
      case .egress: .egress
      case .direct: .direct
      case .drop: .drop
      }
    }
    set {
      guard newValue != key else { return }
      self =
        switch newValue {
        case .egress: .egress(.blank)
        case .direct: .direct
        case .drop: .drop
        }
    }
  }

  fileprivate var name: Name? {
    get { if case .egress(let name) = self { name } else { nil } }
    set { if case .egress = self, let newValue { self = .egress(newValue) } }
  }
}

extension SteeringMatch: Described {
  package static let blank = SteeringMatch()

  package mutating func fields(_ fields: Fields) {
    /// The interfaces that packets come in by. Each is in `lans` of the local configuration.
    /// - Value: list of 1 to 64 LAN interfaces
    /// - Default: any LAN
    fields.list("lans", 1...64, of: .interface, &lans)
    var (from, to, names) = (Self.items(sources), Self.items(destinations), Self.items(domains))
    /// Where packets come from.
    /// - Default: any address
    fields.list("sources", 1...RuleSetBounds.prefixes, of: .prefix, &from)
    /// Where packets go.
    /// - Default: any address
    fields.list("destinations", 1...RuleSetBounds.prefixes, of: .prefix, &to)
    /// The senders' hardware addresses, of devices that are on a LAN themselves: what comes through another router has
    /// that router's.
    /// - Value: list of 1 to 1,024 MAC addresses
    /// - Default: any device
    fields.list("macs", 1...RuleSetBounds.macsOfRule, of: .macAddress, &macs)
    /// What the IPv4 header says of the packet's content: a word or a number.
    /// - Value: list of 1 to 32 of `tcp`, `udp`, `icmp`, `gre`, `esp`, 0 to 255
    /// - Default: any protocol
    fields.list("protocols", 1...32, of: .ipProtocol, &protocols)
    /// Destination ports: `443`, or a range such as `"5000-5999"`. They need `protocols` with `tcp`, `udp` or both, and no
    /// other protocol.
    /// - Value: list of 1 to 256 of 1 to 65535, ranges
    /// - Default: any port
    fields.list("ports", 1...RuleSetBounds.portsOfRule, of: .ports, &ports)
    /// As the packet came in: a number, or a class such as `EF`, `VA`, `LE`, `AF41` or `CS5`. `0` is what nobody has
    /// marked.
    /// - Value: list of 1 to 64 of 0 to 63, classes
    /// - Default: any
    fields.list("dscp", 1...DSCP.all.count, of: .dscp, &dscp)
    /// Destinations that the router's own resolver has found for these names, or for names below them. Names in other
    /// scripts are in punycode.
    /// - Value: list of 1 to 4,096 domains
    /// - Default: any destination
    fields.list("domains", 1...RuleSetBounds.domainsOfRule, of: .domain, &names)
    /// When the rule takes anything, by the router's clock and time zone. At other times it is passed over.
    /// - Default: always
    fields.object("schedule", &schedule)
    fields.atLeastOne(
      "lans", "sources", "destinations", "macs", "protocols", "ports", "dscp", "domains", "schedule")
    guard fields.isReading else { return }
    // Published lists say many things twice.
    let book = fields.names.book
    sources = PrefixOverlap.merged(from, in: fields.path("sources"), book: book).map(\.value)
    destinations = PrefixOverlap.merged(to, in: fields.path("destinations"), book: book).map(\.value)
    domains = DomainOverlap.merged(names, in: fields.path("domains"), book: book).map(\.value)
    if fields.has("ports") { judgePorts(fields) }
    judgeCombinations(fields)
  }

  private func judgeCombinations(_ fields: Fields) {
    let combinations = [macs.count, protocols.count, PortRange.merged(ports).count].reduce(1) { $0 * max(1, $1) }
    guard combinations > RuleSetBounds.combinationsOfRule else { return }
    fields.complain(
      ports.isEmpty ? "macs" : "ports",
      "expected at most \(RuleSetBounds.combinationsOfRule) combinations of MAC addresses, protocols and ports in one "
        + "rule, found \(combinations): make several rules of it")
  }

  private static func items<Value>(_ values: [Value]) -> [Item<Value>] {
    values.enumerated().map { Item(index: $0, value: $1) }
  }

  private func judgePorts(_ fields: Fields) {
    if !fields.has("protocols") {
      fields.complain("protocols", "missing; ports need it, with \"tcp\", \"udp\" or both")
    } else if let other = protocols.first(where: { !$0.hasPorts }) {
      fields.complain("ports", "expected no protocols but \"tcp\" and \"udp\" beside ports, found \(other)")
    }
  }
}

extension Schedule: Described {
  package static let blank = Schedule()

  package mutating func fields(_ fields: Fields) {
    /// The days on which it begins.
    /// - Value: list of 1 to 7 of `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`
    fields.list("days", 1...7, of: .choice(unsupported: Self.longNames), &days)
    days.sort()
    /// When it begins. What is skipped when summer time begins holds for no time, and what the clock shows twice holds
    /// twice.
    /// - Default: `00:00`
    fields.standard("from", .timeOfDay, &from)
    /// When it is over; on the next day where this is earlier than `from`. `24:00` is the end of the day.
    /// - Default: `24:00`
    fields.standard("to", .endTime, &to)
    fields.bothOrNeither("from", "to", because: "a schedule has both times, or is for whole days")
    fields.atLeastOne("days", "from")
    guard fields.isReading, fields.isWhole, from == to else { return }
    fields.complain("to", "expected another time than \"from\", \(from), at which it would be over before it began")
  }

  private static let longNames = Dictionary(
    uniqueKeysWithValues: Weekday.allCases.map { ("\($0)", "did you mean \"\($0.rawValue)\"?") })
}
