internal import Agent
internal import Core
internal import Glibc
internal import RuleSets
internal import System

/// What `backhaul support` writes: sections of text, each with what it has or why it has nothing.
struct SupportBundle {
  /// Of one file of the system, or one of ours.
  private static let mostBytes = 4 << 20
  private static let mostEvents = 1_000
  private static let mostHistories = 50

  private let configurationPath: String
  private let timeout: Duration
  private let configuration: AgentConfiguration?
  private let complaint: String?

  init(configurationPath: String, timeout: Duration) {
    self.configurationPath = configurationPath
    self.timeout = timeout
    do {
      configuration = try ConfigurationFile.load(configurationPath)
      complaint = nil
    } catch {
      configuration = nil
      complaint = "\(error)"
    }
  }

  var device: String? { configuration?.device.text }

  /// All of it, without secrets.
  var text: String {
    var text =
      "Backhaul support bundle\nmade at \(WallClock.now.text) by backhaul \(Backhaul.version) as user \(geteuid()), "
      + "on \(device ?? "a router whose configuration cannot be used")\n"
    for (title, body) in system + own + findings + reports + kernel {
      text += "\n==== \(title)\n" + body + (body.hasSuffix("\n") || body.isEmpty ? "" : "\n")
    }
    return Redaction(secrets: secrets).apply(text) + "\n==== end\n"
  }

  private typealias Section = (title: String, body: String)

  // MARK: - Ours

  private var own: [Section] {
    var sections: [Section] = [(configurationPath, contents(configurationPath))]
    if let complaint { sections.append(("what is wrong with it", complaint)) }
    guard let configuration else { return sections }
    let directory = configuration.files.stateDirectory
    for name in ["rule-set.json", "forces.json", "sysctls.json"] {
      sections.append(("\(directory)/\(name)", contents("\(directory)/\(name)")))
    }
    sections.append(
      (configuration.ipsec.strongswanConfiguration, contents(configuration.ipsec.strongswanConfiguration)))
    return sections
  }

  /// What the files hold that the configuration names, and those that rule sets may name.
  private var secrets: [String] {
    guard let configuration else { return [] }
    let ipsec = configuration.ipsec
    var paths = [
      configuration.ruleSet.credentialsFile, configuration.ruleSet.clientKeyFile, ipsec.pskFile, ipsec.keyFile,
    ].compactMap(\.self)
    paths += ((try? DirectoryListing.names(in: ipsec.secretsDirectory)) ?? []).map { "\(ipsec.secretsDirectory)/\($0)" }
    return paths.compactMap { path in
      (try? BoundedFile.read(path, atMost: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }
  }

  // MARK: - The agent's

  private var reports: [Section] {
    guard let socket = configuration?.files.socket else { return [("reports", "the agent's socket is not known")] }
    func ask<Answer: Decodable>(_ request: LocalAPI.Request, _ type: Answer.Type) -> Result<
      (String, Answer), Unanswered
    > {
      do throws(Unanswered) {
        let (bytes, answer) = try Question(request, socket: socket, timeout: timeout).ask(as: type)
        return .success((String(decoding: bytes, as: UTF8.self), answer))
      } catch {
        return .failure(error)
      }
    }
    func section<Answer: Decodable>(_ title: String, _ request: LocalAPI.Request, _ type: Answer.Type) -> Section {
      switch ask(request, type) {
      case .success(let (text, _)): (title, text)
      case .failure(let why): (title, why.text)
      }
    }
    guard case .success(let (text, status)) = ask(LocalAPI.Request(.status), StatusReport.self) else {
      var sections = [section("status", LocalAPI.Request(.status), StatusReport.self)]
      sections.append(("events", journal))
      return sections
    }
    var events = LocalAPI.Request(.events)
    events.limit = Self.mostEvents
    var sections: [Section] = [("status", StatusCommand.lines(status).joined(separator: "\n")), ("status, JSON", text)]
    sections.append(section("paths, JSON", LocalAPI.Request(.paths), PathsReport.self))
    sections.append(section("tunnels, JSON", LocalAPI.Request(.tunnels), TunnelsReport.self))
    sections.append(section("probes, JSON", LocalAPI.Request(.probes), ProbesReport.self))
    sections.append(section("diff, JSON", LocalAPI.Request(.diff), DiffReport.self))
    sections.append(section("rules, JSON", LocalAPI.Request(.rules), RulesReport.self))
    switch ask(events, EventsReport.self) {
    case .success(let (_, report)):
      sections.append(("events", EventsCommand.lines(report, wide: true).joined(separator: "\n")))
    case .failure(let why): sections.append(("events", why.text))
    }
    for path in status.paths.prefix(Self.mostHistories) {
      var request = LocalAPI.Request(.history)
      request.path = path.name
      if case .success(let (_, report)) = ask(request, HistoryReport.self) {
        sections.append(("history of \(path.name)", HistoryCommand.lines(report).joined(separator: "\n")))
      }
    }
    if let memory = words(of: "/proc/\(status.pid)/status", starting: ["Name", "VmPeak", "VmRSS", "VmSwap", "Threads"])
    {
      sections.append(("process \(status.pid)", memory))
    }
    return sections
  }

  private var journal: String {
    guard let directory = configuration?.files.stateDirectory else { return "the state directory is not known" }
    do throws(StoreFailure) {
      let records = try FileJournal.read(directory: directory).suffix(Self.mostEvents)
      return EventsCommand.lines(EventsReport((Array(records), 0)), wide: true).joined(
        separator: "\n")
    } catch {
      return "\(error)"
    }
  }

  // MARK: - The doctor's

  private var findings: [Section] {
    guard let configuration else { return [] }
    let examination = Examiner(configuration).examine(agent: DoctorCommand.signs(at: configuration.files.socket))
    let report = DoctorReport(device: configuration.device, Doctor.findings(examination))
    return [("doctor", DoctorCommand.lines(report).joined(separator: "\n"))]
  }

  // MARK: - The kernel's

  private var kernel: [Section] {
    guard let configuration else { return [] }
    do throws(KernelFailure) {
      let kernel = try LinuxKernel(configuration.kernel, stateDirectory: configuration.files.stateDirectory)
      let actual = try kernel.read(expecting: nil)
      // What would take it all away is a list of what is there.
      let present = Planner.teardown(actual: actual, remembered: [:])
      let lines = PlanText(configuration.kernel).lines(present)
      return [
        ("ours in the kernel, as what would remove it", lines.isEmpty ? "nothing" : lines.joined(separator: "\n"))
      ]
    } catch {
      return [("ours in the kernel", "\(error)")]
    }
  }

  // MARK: - The system's

  private var system: [Section] {
    var sections: [Section] = [("kernel", kernelName)]
    for path in [
      "/etc/os-release", "/proc/uptime", "/proc/loadavg", "/proc/net/dev", "/proc/net/route", "/proc/net/arp",
      "/proc/net/sockstat", "/proc/net/xfrm_stat", "/proc/sys/net/netfilter/nf_conntrack_count",
      "/proc/sys/net/netfilter/nf_conntrack_max", "/proc/sys/net/ipv4/ip_forward",
      "/proc/sys/net/ipv4/conf/all/rp_filter", "/proc/sys/net/ipv4/fib_multipath_hash_policy",
      "/proc/sys/net/ipv4/icmp_errors_use_inbound_ifaddr", "/etc/resolv.conf",
    ] { sections.append((path, contents(path))) }
    if let memory = words(of: "/proc/meminfo", starting: ["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"]) {
      sections.append(("/proc/meminfo", memory))
    }
    let modules = ["nf", "nft", "xfrm", "esp4", "gre", "ip_gre", "ipip", "ip_tunnel", "tunnel4", "wireguard"]
    if let loaded = words(of: "/proc/modules", starting: modules) { sections.append(("/proc/modules", loaded)) }
    return sections
  }

  private var kernelName: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "uname: errno \(errno)" }
    func text<Field>(_ field: Field) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return [text(name.sysname), text(name.release), text(name.version), text(name.machine)].joined(separator: " ")
  }

  private func contents(_ path: String) -> String {
    do throws(SystemCallFailure) {
      return String(decoding: try BoundedFile.read(path, atMost: Self.mostBytes), as: UTF8.self)
    } catch {
      return "\(error)"
    }
  }

  /// The lines of a file that begin with one of these; nil if there are none.
  private func words(of path: String, starting starts: [String]) -> String? {
    let lines = contents(path).split(separator: "\n").filter { line in starts.contains { line.hasPrefix($0) } }
    return lines.isEmpty ? nil : lines.joined(separator: "\n")
  }
}
