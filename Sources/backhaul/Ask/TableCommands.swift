internal import Agent
internal import ArgumentParser

struct PathsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paths", abstract: "Every path: its state, the device it uses, the rules it carries.")

  @OptionGroup var options: QuestionOptions
  @OptionGroup var repeating: RepeatOptions

  func run() throws {
    try ask(.paths, options, repeating, as: PathsReport.self) { Self.lines($0) }
  }

  static func lines(_ report: PathsReport) -> [String] {
    var table = Columns("PATH", "STATE", "FOR", "DEVICE", "UPLINK", "RTT", "LOSS", "CARRIES", "FORCED", "CAUSE")
    for path in report.paths {
      table.add(
        path.name, path.state, Words.age(path.sinceSeconds), path.device, path.uplink ?? "-",
        Words.milliseconds(path.rttMs), Words.share(path.loss),
        path.carries.isEmpty ? "-" : path.carries.joined(separator: ","), path.forced?.force ?? "-",
        path.cause + (path.downCause.map { "; \($0): \(path.evidence ?? "")" } ?? ""))
    }
    let forces = report.paths.compactMap { path in
      path.forced.map { "path \(path.name) is \(Words.force($0))" }
    }
    return table.lines + forces + report.forcesOfNoPath.map(Words.stray)
  }
}

struct TunnelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tunnels", abstract: "Every tunnel: its kind, endpoints, keys and sizes.")

  @OptionGroup var options: QuestionOptions
  @OptionGroup var repeating: RepeatOptions

  @Flag(help: "Also show devices, inner addresses, hubs, uplinks, segment sizes and profiles.")
  var wide = false

  func run() throws {
    try ask(.tunnels, options, repeating, as: TunnelsReport.self) { Self.lines($0, wide: wide) }
  }

  static func lines(_ report: TunnelsReport, wide: Bool = false) -> [String] {
    var header = ["TUNNEL", "KIND", "LINK", "LOCAL", "REMOTE", "IKE", "CHILD", "CIPHER", "AGE", "REKEY"]
    header += ["IN", "OUT", "MTU"]
    if wide { header += ["DEVICE", "INNER", "HUB", "UPLINK", "MSS", "PROFILE"] }
    var table = Columns(header + ["TROUBLE"])
    for tunnel in report.tunnels {
      var row: [String?] = [
        tunnel.name, kind(tunnel), tunnel.link, tunnel.local, tunnel.remote, tunnel.ike?.state, tunnel.child?.state,
        cipher(tunnel), tunnel.child?.installedSeconds.map(Words.age), tunnel.child?.rekeySeconds.map(Words.age),
        Words.bytes(tunnel.bytesIn), Words.bytes(tunnel.bytesOut), tunnel.mtu.map { "\($0)" },
      ]
      if wide {
        row += [
          tunnel.device, tunnel.innerLocal, tunnel.hub, tunnel.uplink, tunnel.mss.map { "\($0)" }, tunnel.profile,
        ]
      }
      table.add((row + [tunnel.ike?.trouble]).map { $0 ?? "-" })
    }
    return table.lines
  }

  private static func kind(_ tunnel: TunnelReport) -> String {
    let kind = tunnel.key.map { "\(tunnel.kind) key \($0)" } ?? tunnel.kind
    return tunnel.profile != nil && tunnel.kind != "ipsec" ? "\(kind) in ipsec" : kind
  }

  private static func cipher(_ tunnel: TunnelReport) -> String {
    guard let child = tunnel.child, let cipher = child.cipher else { return "-" }
    return child.encapsulated ? "\(cipher) in UDP" : cipher
  }
}

struct ProbesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probes", abstract: "Every probe: its target, answers and round trips.")

  @OptionGroup var options: QuestionOptions
  @OptionGroup var repeating: RepeatOptions

  func run() throws {
    try ask(.probes, options, repeating, as: ProbesReport.self) { report in
      var table = Columns(
        "PROBE", "PATH", "KIND", "TARGET", "STATE", "FOR", "EVERY", "LOST", "LOSS", "RTT", "JITTER", "TROUBLE")
      for probe in report.probes {
        table.add(
          probe.name, probe.path, probe.kind, probe.target, probe.state, Words.age(probe.sinceSeconds),
          "\(probe.paceMs ?? probe.intervalMs) ms", "\(probe.lostInARow)/\(probe.fall)", Words.share(probe.loss),
          Words.milliseconds(probe.rttMs), Words.milliseconds(probe.jitterMs), probe.trouble ?? "-")
      }
      return table.lines + report.budgets.map { "uplink \($0.uplink): \(Words.budget($0))" }
    }
  }
}

struct RulesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules",
    abstract: "Every backhaul rule: whose traffic, which way it goes, and what happens when the "
      + "hub is gone. Every steering rule: what it takes, and how much it has taken.")

  @OptionGroup var options: QuestionOptions
  @OptionGroup var repeating: RepeatOptions

  func run() throws {
    try ask(.rules, options, repeating, as: RulesReport.self) { report in
      var table = Columns(
        "RULE", "MODE", "GOES", "FOR", "SOURCES", "PATHS", "FALLBACK", "FAILBACK", "HOLD-DOWN", "IPV6", "CAUSE")
      for rule in report.rules {
        var sources = rule.interfaces
        if rule.prefixes > 0 { sources.append("\(rule.prefixes) prefix\(rule.prefixes == 1 ? "" : "es")") }
        table.add(
          rule.name, rule.mode, rule.choice ?? "-", rule.enabled ? Words.age(rule.sinceSeconds) : "-",
          sources.joined(separator: ","), Words.tiers(rule.tiers), rule.fallback,
          rule.failback == "drain"
            ? "drain" + (rule.drainLimitSeconds.map { " \(Words.age($0))" } ?? "") : rule.failback,
          "\(rule.holdDownMs) ms", rule.ipv6, rule.cause)
      }
      guard !report.steering.isEmpty else { return table.lines }
      var steering = Columns("STEERING RULE", "HOLDS", "ACTION", "GOES", "PACKETS", "BYTES", "TAKES")
      for rule in report.steering {
        steering.add(
          rule.name, rule.enabled ? rule.holds ? "yes" : "not now" : "disabled", rule.egress ?? rule.action,
          rule.choice ?? "-", rule.packets.map { "\($0)" } ?? "-", rule.bytes.map { "\($0)" } ?? "-", rule.match)
      }
      return table.lines + [""] + steering.lines
    }
  }
}
