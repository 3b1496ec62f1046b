/// A periodic check of one path.
package struct Probe: Equatable, Sendable {
  /// What a probe sends, and to whom.
  package enum Kind: Equatable, Sendable {
    /// An ICMP echo (RFC 792) to an address that answers only through the path.
    case icmp(target: IPv4Address)
    /// Apart: most probes are pings, and each is kept some times over.
    indirect case http(HTTPCheck)
  }

  package var name: Name
  package var path: Name
  package var kind: Kind
  /// The address that probes are sent from; nil: the tunnel's inner address, else the first LAN's, or the uplink's own.
  package var source: IPv4Address?
  /// Between two probes: 50 ms to 1 h.
  package var interval: Duration
  /// How long an answer may take: 10 ms up to the interval.
  package var timeout: Duration
  /// How many consecutive probes without an answer make the path `down`: 1...100.
  package var fall: Int
  /// A silence of at most this long never makes the path `down`: 0 to 10 min. Nil: `standardPatience`.
  package var patience: Duration?
  /// On a line that loses one answer in twenty by chance, three in a row would be lost nearly every second hour;
  /// etc/rule-set.md has the calculation.
  package static let standardFall = 5
  /// How many consecutive answers bring it back `up`: 1...100.
  package var rise: Int

  package init(
    name: Name, path: Name, kind: Kind, source: IPv4Address? = nil, interval: Duration = .seconds(1),
    timeout: Duration = .milliseconds(800), fall: Int = Probe.standardFall, patience: Duration? = nil, rise: Int = 3
  ) {
    self.name = name
    self.path = path
    self.kind = kind
    self.source = source
    self.interval = interval
    self.timeout = timeout
    self.fall = fall
    self.patience = patience
    self.rise = rise
  }

  /// The patience that is in force.
  package var patienceInForce: Duration { patience ?? Self.standardPatience(interval: interval, fall: fall) }

  /// A tenth of the interval, 100 ms at most, for each failure that confirms the first, so that a higher `fall` brings
  /// more patience. 400 ms at 1 s × 5, 20 ms at 100 ms × 3.
  package static func standardPatience(interval: Duration, fall: Int) -> Duration {
    min(interval / 10, .milliseconds(100)) * (fall - 1)
  }

  /// Known properties of kinds of lines, for an operator who does not want to measure one.
  package enum Line: String, CaseIterable, Sendable {
    /// It is switched over within 50 ms, or is gone.
    case fibre
    /// Noise takes the line away for part of a second.
    case dsl
    /// Mobile networks and satellites: cells and beams change, and for seconds nothing is heard.
    case radio

    package var patience: Duration {
      switch self {
      case .fibre: .milliseconds(200)
      case .dsl: .seconds(1)
      case .radio: .seconds(5)
      }
    }
  }
}

/// What an HTTP probe asks for and what counts as an answer. The host is an address, never a name: a name would be
/// resolved over the very line that may be dead. `hostName` goes into the Host header and, for HTTPS, into SNI.
package struct HTTPCheck: Equatable, Sendable {
  /// The URL's scheme; it decides whether the probe speaks TLS.
  package enum Scheme: String, Equatable, Sendable { case http, https }

  package var scheme: Scheme
  package var address: IPv4Address
  package var port: UInt16
  /// Begins with `/`; path and query.
  package var target: String
  package var hostName: String?
  /// Status codes that count as an answer, 100...599.
  package var statuses: [Int]
  /// Text that the first 64 KiB of the body must hold.
  package var bodyText: String?

  package init(
    scheme: Scheme, address: IPv4Address, port: UInt16, target: String, hostName: String? = nil,
    statuses: [Int] = [200, 204], bodyText: String? = nil
  ) {
    self.scheme = scheme
    self.address = address
    self.port = port
    self.target = target
    self.hostName = hostName
    self.statuses = statuses
    self.bodyText = bodyText
  }

  /// The URL as a person would type it.
  package var url: String { "\(scheme.rawValue)://\(address):\(port)\(target)" }
}
