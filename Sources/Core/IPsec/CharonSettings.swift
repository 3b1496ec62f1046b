package import RuleSets

/// A setting of charon's that breaks a tunnel, or a promise of ours.
package struct CharonComplaint: Equatable, Sendable, CustomStringConvertible {
  /// With an error, tunnels cannot work or traffic may go where it must not.
  package enum Severity: String, Sendable { case error, warning }

  package var severity: Severity
  /// `charon.install_routes`.
  package var setting: String
  /// With the place it was found at, or that it is not set.
  package var found: String
  package var needed: String
  package var reason: String

  package var description: String { "\(setting): expected \(needed), found \(found): \(reason)" }
}

/// Whether charon is set up as an agent needs it that steers by marks and its own tables over XFRM interfaces.
package struct CharonSettings {
  /// What the agent's own configuration says.
  package struct Expectations: Sendable {
    /// The path of the socket that the agent talks to charon by.
    package var viciSocket: String
    package var kernel: KernelRanges
    package var uplinks: [InterfaceName]
    /// Whose section of strongswan.conf is read.
    package var daemon: String

    package init(
      viciSocket: String = "/run/charon.vici", kernel: KernelRanges = KernelRanges(), uplinks: [InterfaceName] = [],
      daemon: String = "charon-systemd"
    ) {
      self.viciSocket = viciSocket
      self.kernel = kernel
      self.uplinks = uplinks
      self.daemon = daemon
    }
  }

  /// The errors first.
  package static func complaints(_ conf: StrongswanConf, expecting: Expectations) -> [CharonComplaint] {
    var check = CharonSettings(conf: conf, expected: expecting)
    check.checkPlugins()
    check.checkSocket()
    check.checkRoutes()
    check.checkMarks()
    check.checkInterfaces()
    check.checkPorts()
    check.checkTimes()
    return check.complaints.filter { $0.severity == .error } + check.complaints.filter { $0.severity == .warning }
  }

  private let conf: StrongswanConf
  private let expected: Expectations
  private var complaints: [CharonComplaint] = []

  private init(conf: StrongswanConf, expected: Expectations) {
    self.conf = conf
    self.expected = expected
  }

  // MARK: What it does

  private mutating func checkPlugins() {
    for plugin in ["vici", "kernel-netlink", "socket-default"] where isLoaded(plugin) == false {
      complain(.error, "plugins.\(plugin).load", "yes", standard: "no", "the agent cannot use a charon without it")
    }
    let isUserland = isLoaded("kernel-libipsec")
    if isUserland != false {
      complain(
        isUserland == nil ? .warning : .error, "plugins.kernel-libipsec.load", "no",
        standard: "yes where charon was built with it",
        "charon would encrypt by itself, past the kernel and the tunnels' XFRM interfaces")
    }
    // Its policies have no interface ID, so the kernel does not match them on an XFRM interface (xfrm_policy_match).
    if isLoaded("bypass-lan") == true {
      complain(
        .warning, "plugins.bypass-lan.load", "no", standard: "yes",
        "traffic without an XFRM interface (GRE over IPsec, other software's tunnels) would leave in the clear to a "
          + "hub in an"
          + " uplink's own subnet")
    }
  }

  private mutating func checkSocket() {
    let setting = setting("plugins.vici.socket")?.value
    // What it is built with differs between distributions.
    let found = setting ?? "unix:///var/run/charon.vici"
    func plain(_ path: String) -> String { path.hasPrefix("/var/run/") ? String(path.dropFirst(4)) : path }
    if found.hasPrefix("unix://"), plain(String(found.dropFirst(7))) == plain(expected.viciSocket) { return }
    complain(
      setting == nil ? .warning : .error, "plugins.vici.socket", "unix://\(expected.viciSocket)",
      standard: "unix:///var/run/charon.vici unless the distribution changed it",
      "that is where the agent looks for charon")
  }

  private mutating func checkRoutes() {
    let installsRoutes = flag("install_routes", standard: true)
    if installsRoutes {
      complain(
        .error, "install_routes", "no", standard: "yes",
        "charon's routes would come before all of ours and take the router's own traffic, and charon would look for "
          + "its route to a hub in all tables at once, ours included")
    }
    if flag("plugins.kernel-netlink.install_routes_xfrmi", standard: false) {
      complain(
        installsRoutes ? .error : .warning, "plugins.kernel-netlink.install_routes_xfrmi", "no", standard: "no",
        "charon's own route into a tunnel would take the router's own traffic with it")
    }
    if flag("install_virtual_ip", standard: true) {
      complain(
        .warning, "install_virtual_ip", "no", standard: "yes",
        "an address that a hub hands out would become the source address of the router's own traffic")
    }
    if flag("process_route", standard: true) {
      complain(
        .warning, "process_route", "no", standard: "yes",
        "charon would check every tunnel's route again whenever any route changes, ours included, and has been seen "
          + "to hang doing so")
    }
    for (key, standard, range, noun) in [
      ("routing_table", 220, expected.kernel.tables, "tables"),
      ("routing_table_prio", 220, expected.kernel.priorities, "rule priorities"),
    ] where range.contains(UInt32(clamping: number(key, standard: standard))) {
      complain(
        .error, key, "a number outside of \(range.lowerBound) to \(range.upperBound)", standard: "\(standard)",
        "those \(noun) are ours")
    }
  }

  private mutating func checkMarks() {
    let ours = expected.kernel.markMask
    if let mark = mark("plugins.socket-default.fwmark"), mark.value & mark.mask & ours.bits != 0 {
      complain(
        .error, "plugins.socket-default.fwmark", "none in \(ours)", standard: "none",
        "IKE's own packets would be steered into the very tunnel that they are meant to set up")
    }
    if let mark = mark("plugins.kernel-netlink.fwmark"), mark.mask & ours.bits != 0 {
      complain(
        .error, "plugins.kernel-netlink.fwmark", "none in \(ours)", standard: "none",
        "charon's rule comes before ours and would catch steered packets")
    }
  }

  private mutating func checkInterfaces() {
    // With the first, charon does not read the second.
    let isUsed = setting("interfaces_use")?.value != nil
    let key = isUsed ? "interfaces_use" : "interfaces_ignore"
    guard let list = setting(key)?.value else { return }
    let names = list.split(separator: ",").map { $0.drop { $0 == " " }.prefix { $0 != " " } }
    let lost = expected.uplinks.map(\.text).filter { uplink in names.contains { $0 == uplink } != isUsed }
    guard !lost.isEmpty else { return }
    complain(
      .error, key, (isUsed ? "a list with " : "a list without ") + lost.joined(separator: ", "), standard: "",
      "charon neither sends nor accepts IKE there")
  }

  private mutating func checkPorts() {
    let (port, natPort) = (number("port", standard: 500), number("port_nat_t", standard: 4500))
    let reason = "charon uses a different port each time it starts, which no firewall or hub knows"
    if port == 0 { complain(.warning, "port", "500", standard: "500", reason) }
    if natPort == 0 || natPort == port {
      complain(.warning, "port_nat_t", natPort == 0 ? "4500" : "another than port", standard: "4500", reason)
    }
  }

  private mutating func checkTimes() {
    let seconds = secondsToGiveUp
    if seconds > 60 {
      let words = seconds < 86_400 ? "\(Int(seconds.rounded())) s" : "more than a day"
      complaints.append(
        CharonComplaint(
          severity: .warning, setting: "charon.retransmit_tries, _timeout, _base", found: words,
          needed: "at most 60 s until charon gives up",
          reason: "until then a dead hub looks alive, and the tunnel's next attempt waits"))
    }
    if !flag("make_before_break", standard: false) {
      complain(
        .warning, "make_before_break", "yes", standard: "no before charon 6",
        "when a hub asks for reauthentication, the tunnel would be down in between")
    }
  }

  /// From the first time that a message is sent: retransmission_timeout_total of charon's task_manager.c.
  private var secondsToGiveUp: Double {
    let limit = number("retransmit_limit", standard: 0)
    let base = decimal("retransmit_base", standard: 1.8)
    var wait = decimal("retransmit_timeout", standard: 4)
    var total = 0.0
    for _ in 0...min(max(number("retransmit_tries", standard: 5), 0), 10_000) {
      total += limit > 0 ? min(wait, Double(limit)) : wait
      wait *= base
    }
    return total
  }

  // MARK: What it reads

  private func setting(_ key: String) -> StrongswanConf.Setting? { conf.setting(key, daemon: expected.daemon) }

  /// Charon uses the default for words that it does not know (settings_value_as_bool).
  private func flag(_ key: String, standard: Bool) -> Bool {
    switch setting(key)?.value?.lowercased() {
    case "1", "yes", "true", "enabled": true
    case "0", "no", "false", "disabled": false
    default: standard
    }
  }

  private func number(_ key: String, standard: Int) -> Int {
    setting(key)?.value.flatMap { $0.hasPrefix("0x") ? Int($0.dropFirst(2), radix: 16) : Int($0) } ?? standard
  }

  private func decimal(_ key: String, standard: Double) -> Double {
    setting(key)?.value.flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil } ?? standard
  }

  /// `[!]mark[/mask]` (mark_from_string); nil if there is none, or charon could not read it either.
  private func mark(_ key: String) -> (value: UInt32, mask: UInt32)? {
    guard var text = setting(key)?.value?[...] else { return nil }
    if text.hasPrefix("!") { text = text.dropFirst() }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    func number(_ text: Substring) -> UInt32? {
      if text.hasPrefix("0x") || text.hasPrefix("0X") { return UInt32(text.dropFirst(2), radix: 16) }
      return UInt32(text, radix: text.hasPrefix("0") ? 8 : 10)
    }
    guard parts.count <= 2, let value = number(parts[0]) else { return nil }
    return parts.count == 1 ? (value, .max) : number(parts[1]).map { (value, $0) }
  }

  /// As plugin_loader.c decides it; nil if that depends on what charon was built with.
  private func isLoaded(_ plugin: String) -> Bool? {
    let isModular = flag("load_modular", standard: false)
    let load = "plugins.\(plugin).load"
    let isWanted = number(load, standard: 0) != 0 || flag(load, standard: !isModular)
    if isModular { return isWanted && conf.hasSection("plugins.\(plugin)", daemon: expected.daemon) }
    guard isWanted else { return false }
    return setting("load")?.value.map { $0.split(separator: " ").contains { $0 == plugin } }
  }

  private mutating func complain(
    _ severity: CharonComplaint.Severity, _ key: String, _ needed: String, standard: String, _ reason: String
  ) {
    let found = setting(key).map { "\($0.value.map(quoted) ?? "nothing") (\($0.place))" }
    complaints.append(
      CharonComplaint(
        severity: severity, setting: "charon.\(key)", found: found ?? "nothing, which means \(standard)",
        needed: needed, reason: reason))
  }
}
