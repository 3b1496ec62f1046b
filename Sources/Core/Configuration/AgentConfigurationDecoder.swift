package import RuleSets

/// Local configuration → value, complete and valid, or everything that is wrong with it.
package enum AgentConfigurationDecoder {
  /// Decodes a parsed TOML document. Throws every complaint at once.
  package static func decode(_ document: DocumentValue) throws(Complaints) -> AgentConfiguration {
    let book = ComplaintBook()
    let configuration = configuration(from: document, book)
    try book.close()
    // Whatever makes it nil has complained; should that ever not hold, an empty refusal is still a refusal.
    guard let configuration else { throw Complaints([Complaint(field: "", "this is not a configuration")]) }
    return configuration
  }

  private static let keys = [
    "device", "lans", "uplinks", "rule_set", "guard", "kernel", "files", "ipsec", "log", "metrics", "hooks",
  ]

  private static func configuration(from document: DocumentValue, _ book: ComplaintBook) -> AgentConfiguration? {
    guard let top = FieldReader(document, keys: keys, book: book) else { return nil }
    let device = top.required("device", .name)
    let (uplinks, lans) = interfaces(top)
    let ruleSet = RuleSetSourceReader.read(top)
    let kernel = KernelRangesReader.read(top)
    let files = files(top)
    let ipsec = IPsecConfigurationReader.read(top)
    let log = log(top)
    let metrics = MetricsConfigurationReader.read(top)
    let hooks = HooksConfigurationReader.read(top)
    let doubt = GuardConfigurationReader.read(top)
    guard let device, let ruleSet, let kernel, let files, let ipsec, let log, let metrics, let hooks, let doubt
    else { return nil }
    return AgentConfiguration(
      device: device, ruleSet: ruleSet, uplinks: uplinks, lans: lans, kernel: kernel, files: files, ipsec: ipsec,
      logLevel: log.level, logTarget: log.target, metrics: metrics, hooks: hooks, guard: doubt)
  }

  /// More than a router has ports; each uplink takes a slot.
  private static let mostInterfaces = 64

  private static func interfaces(_ top: FieldReader) -> ([UplinkConfiguration], [InterfaceName]) {
    for key in ["lans", "uplinks"] where top[key] == nil {
      top.complain(key, "missing; expected at least one " + (key == "lans" ? "interface" : "[[uplinks]] table"))
    }
    let lans = top.list("lans", 1...mostInterfaces, of: .interface)
    var seen: [InterfaceName: String] = [:]
    for lan in lans { note(lan.value, at: "lans[\(lan.index)]", &seen, top.book) }
    let uplinks = top.objects("uplinks", 1...mostInterfaces) { _, value, path -> UplinkConfiguration? in
      guard let fields = FieldReader(value, at: path, keys: uplinkKeys, book: top.book) else { return nil }
      let interface = fields.required("interface", .interface)
      let tier = fields.value("tier", .integer(1...255), default: 1)
      let isPrivate = fields.value("private", .boolean, default: false)
      let gateway = fields.optional("gateway", .hostAddress)
      if fields["gateway"] != nil && isPrivate == false {
        fields.complain(
          "gateway",
          "only a private line takes one here; a WAN gets its gateway from its DHCP client, "
            + "by way of the main table")
      }
      if let interface { note(interface, at: fields.field("interface"), &seen, top.book) }
      let source = fields.optional("source", .hostAddress)
      let targets = targets(fields)
      let budget = fields.optional(
        "probe_budget_bytes_per_day", .integer(UplinkConfiguration.probeBudgets, of: "bytes"))
      guard let interface, let tier, let isPrivate else { return nil }
      return UplinkConfiguration(
        interface: interface, tier: Int(tier), isPrivate: isPrivate, gateway: gateway, source: source,
        targets: targets,
        probeBudget: budget.map { Int($0) })
    }
    return (uplinks.map(\.value), lans.map(\.value))
  }

  private static let uplinkKeys = [
    "interface", "tier", "private", "gateway", "source", "targets", "probe_budget_bytes_per_day",
  ]

  private static func targets(_ fields: FieldReader) -> [IPv4Address] {
    let items = fields.list("targets", 1...UplinkConfiguration.mostTargets, of: .hostAddress)
    for (place, item) in items.enumerated() {
      guard let first = items.prefix(place).first(where: { $0.value == item.value }) else { continue }
      fields.complain("targets", "\(item.value) is listed twice, at \(first.index) and at \(item.index)")
    }
    return items.map(\.value)
  }

  /// An interface has one part to play, and loopback none.
  private static func note(
    _ interface: InterfaceName, at field: String, _ seen: inout [InterfaceName: String], _ book: ComplaintBook
  ) {
    if interface.text == "lo" {
      book.complain(field, "expected a LAN or WAN, found the loopback interface")
    } else if let first = seen[interface] {
      book.complain(
        field,
        "\(quoted(interface.text)) is already \(first); an interface can be listed only once, as a "
          + "LAN or as an uplink")
    } else {
      seen[interface] = field
    }
  }

  private static func files(_ top: FieldReader) -> FileLocations? {
    let standard = FileLocations()
    guard let value = top["files"] else { return standard }
    guard let fields = FieldReader(value, at: "files", keys: ["socket", "state_directory"], book: top.book)
    else { return nil }
    // sun_path has 108 bytes, the last one is 0 (unix(7)).
    let socket = fields.value("socket", .absolutePath(atMost: 107), default: standard.socket)
    let state = fields.value("state_directory", .absolutePath(atMost: 4000), default: standard.stateDirectory)
    guard let socket, let state else { return nil }
    return FileLocations(socket: socket, stateDirectory: state)
  }

  private static func log(_ top: FieldReader) -> (level: AgentConfiguration.LogLevel, target: LogTarget)? {
    guard let value = top["log"] else { return (.info, .auto) }
    guard let fields = FieldReader(value, at: "log", keys: ["level", "target", "syslog"], book: top.book)
    else { return nil }
    let level: AgentConfiguration.LogLevel? = fields.value("level", .choice(), default: .info)
    let target = LogTargetReader.read(fields)
    guard let level, let target else { return nil }
    return (level, target)
  }
}

extension Form where Value == String {
  /// A path from the root, as the kernel takes it, that goes nowhere else than it says.
  package static func absolutePath(atMost bytes: Int) -> Form {
    Form("an absolute path of at most \(bytes) bytes") { value in
      guard case .string(let text) = value, text.hasPrefix("/"), (2...bytes).contains(text.utf8.count),
        !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
      else {
        // strongswan.conf writes a socket this way.
        if case .string(let text) = value, text.hasPrefix("unix:") { return .refused(hint: "without \"unix://\"") }
        return .refused()
      }
      return text.split(separator: "/").contains("..") ? .refused(hint: "without \"..\"") : .value(text)
    }
  }
}
