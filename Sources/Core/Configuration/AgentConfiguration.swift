package import RuleSets

/// What this router knows about itself: the local configuration, /etc/backhaul/agent.toml.
package struct AgentConfiguration: Equatable, Sendable {
  package var device: Name
  package var ruleSet: RuleSetSourceConfiguration
  package var uplinks: [UplinkConfiguration]
  /// Interfaces behind which the devices are whose traffic may be steered.
  package var lans: [InterfaceName]
  package var kernel: KernelRanges
  package var files: FileLocations
  package var ipsec: IPsecConfiguration
  package var logLevel: LogLevel
  package var logTarget: LogTarget
  package var metrics: MetricsConfiguration
  package var hooks: HooksConfiguration
  package var `guard`: GuardConfiguration

  package init(
    device: Name, ruleSet: RuleSetSourceConfiguration, uplinks: [UplinkConfiguration], lans: [InterfaceName],
    kernel: KernelRanges = KernelRanges(), files: FileLocations = FileLocations(),
    ipsec: IPsecConfiguration = IPsecConfiguration(), logLevel: LogLevel = .info,
    logTarget: LogTarget = .auto, metrics: MetricsConfiguration = MetricsConfiguration(),
    hooks: HooksConfiguration = HooksConfiguration(), guard: GuardConfiguration = GuardConfiguration()
  ) {
    self.device = device
    self.ruleSet = ruleSet
    self.uplinks = uplinks
    self.lans = lans
    self.kernel = kernel
    self.files = files
    self.ipsec = ipsec
    self.logLevel = logLevel
    self.logTarget = logTarget
    self.metrics = metrics
    self.hooks = hooks
    self.guard = `guard`
  }

  /// The lowest severity that is logged. The agent itself logs nothing below `debug`.
  package enum LogLevel: String, CaseIterable, Equatable, Sendable { case trace, debug, info, notice, warning, error }
}

/// A local WAN.
package struct UplinkConfiguration: Equatable, Sendable {
  package var interface: InterfaceName
  /// The lowest tier that can be used is used first.
  package var tier: Int
  /// A private line to the hub's site: no way to the internet, so `local_wan` never leaves by it and nothing is
  /// masqueraded there.
  package var isPrivate: Bool
  /// The next hop of a private line that has no default route in the main table.
  package var gateway: IPv4Address?
  /// The source address of the router's own packets on it, where the main table names none. It may be on any device.
  package var source: IPv4Address?
  /// Addresses beyond it that answer pings while it works. If none of them answers, the uplink is no fallback.
  package var targets: [IPv4Address]
  /// Bytes that the agent's probes may take of it in 24 hours, both directions; nil: it is not metered.
  package var probeBudget: Int?

  package static let mostTargets = 4
  /// A few probes an hour take this; a terabyte is more than any could.
  package static let probeBudgets: ClosedRange<Int64> = 100_000...1_000_000_000_000

  package init(
    interface: InterfaceName, tier: Int = 1, isPrivate: Bool = false, gateway: IPv4Address? = nil,
    source: IPv4Address? = nil, targets: [IPv4Address] = [], probeBudget: Int? = nil
  ) {
    self.interface = interface
    self.tier = tier
    self.isPrivate = isPrivate
    self.gateway = gateway
    self.source = source
    self.targets = targets
    self.probeBudget = probeBudget
  }
}

/// Where the rule set comes from and how it is pulled.
package struct RuleSetSourceConfiguration: Equatable, Sendable {
  /// Where the rule set is pulled from: a web server or a local file.
  package enum Location: Equatable, Sendable, CustomStringConvertible {
    /// `https://…`, or `http://…` to loopback, or to anywhere if `allow_insecure_http` is true.
    case web(url: String)
    /// `file:///…`: an absolute path.
    case file(path: String)

    /// The URL, as the configuration has it.
    package var description: String {
      switch self {
      case .web(let url): url
      case .file(let path): "file://\(path)"
      }
    }
  }

  package var location: Location
  package var interval: Duration
  /// The limit for one whole transfer.
  package var timeout: Duration
  /// The largest document that is accepted, in bytes.
  package var maximumBytes: Int
  /// Holds one line, sent as a bearer token (RFC 6750). Readable by root alone.
  package var credentialsFile: String?
  /// PEM. Trusted instead of the system's authorities.
  package var authorityFile: String?
  package var clientCertificateFile: String?
  package var clientKeyFile: String?

  package init(
    location: Location, interval: Duration = .seconds(60), timeout: Duration = .seconds(20),
    maximumBytes: Int = 16 << 20, credentialsFile: String? = nil, authorityFile: String? = nil,
    clientCertificateFile: String? = nil, clientKeyFile: String? = nil
  ) {
    self.location = location
    self.interval = interval
    self.timeout = timeout
    self.maximumBytes = maximumBytes
    self.credentialsFile = credentialsFile
    self.authorityFile = authorityFile
    self.clientCertificateFile = clientCertificateFile
    self.clientKeyFile = clientKeyFile
  }
}
