package import RuleSets

/// What probes may take of a metered uplink, in bytes over 24 hours, and how far their intervals are stretched so that it
/// lasts. What confirms a suspicion is never stretched, but counted, and peace pays for it.
package struct ProbeBudget: Equatable, Sendable {
  /// One probe in steady state: bytes on the uplink's wire, there and back, and how often.
  package struct Load: Equatable, Sendable {
    package var bytes: Int
    package var interval: Duration

    package init(bytes: Int, interval: Duration) {
      self.bytes = bytes
      self.interval = interval
    }
  }

  /// Counted from the agent's start: a wall clock may be set at any time.
  package static let day: Duration = .seconds(86_400)
  /// Kept for suspicions to come: of the whole, until the day is over, and of what is left.
  private static let reserve = (ofTheWhole: 0.05, ofTheRest: 0.1)
  /// The factor once nothing is left. No interval gets longer than an hour in any case.
  package static let mostStretch = 100_000.0

  package let limit: Int
  /// Bytes spent since the day began.
  package private(set) var spent = 0
  package private(set) var spentYesterday: Int?
  private var began: Instant

  package init(_ limit: Int, at now: Instant) {
    self.limit = limit
    began = now
  }

  /// One with another limit that has spent the same.
  package func limited(to limit: Int) -> ProbeBudget {
    var budget = ProbeBudget(limit, at: began)
    (budget.spent, budget.spentYesterday) = (spent, spentYesterday)
    return budget
  }

  /// Probes used this many bytes. A negative count takes back what was booked for a probe that could not be sent.
  package mutating func took(_ bytes: Int, at now: Instant) {
    turn(at: now)
    spent = max(0, spent + bytes)
  }

  /// Starts a new day if one is over.
  private mutating func turn(at now: Instant) {
    let days = (now - began).nanoseconds / Self.day.nanoseconds
    guard days > 0 else { return }
    spentYesterday = days == 1 ? spent : 0
    spent = 0
    began = began + Self.day * Int(days)
  }

  /// The factor by which intervals are stretched from now on: 1 where the budget lasts as it is.
  package func stretch(_ loads: [Load], at now: Instant) -> Double {
    var budget = self
    budget.turn(at: now)
    let perSecond = loads.reduce(0) { $0 + Double($1.bytes) / max($1.interval.inSeconds, 0.001) }
    let remaining = (budget.began + Self.day - now).inSeconds
    let inPeace = Double(limit) * (1 - Self.reserve.ofTheWhole)
    let bytes = (inPeace - Double(budget.spent)) * (1 - Self.reserve.ofTheRest)
    guard bytes > 0 else { return Self.mostStretch }
    return min(max(1, perSecond * remaining / bytes), Self.mostStretch)
  }
}

/// How many bytes a probe takes of the wire below it, there and back, from the outermost IPv4 header on.
package enum ProbeSize {
  /// An echo request as ICMPRequest makes it, and its answer.
  package static let echo = 84
  /// One request and a short answer: packets, and bytes in all with IPv4 and TCP headers. A larger answer takes more.
  private static let http = (packets: 10, bytes: 1_200)
  /// The same with a TLS 1.3 handshake and a chain of two certificates.
  private static let https = (packets: 18, bytes: 6_500)

  /// - Parameter headers: what the tunnel adds to each packet.
  package static func bytes(of probe: Probe, headers: Int) -> Int {
    switch probe.kind {
    case .icmp: 2 * (echo + headers)
    case .http(let check) where check.scheme == .http: http.bytes + http.packets * headers
    case .http: https.bytes + https.packets * headers
    }
  }
}
