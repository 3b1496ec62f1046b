/// The forms that the local socket and `--json` give out. Keys are the property names in snake_case; a key is never
/// renamed or reused within one `schema`.
package enum Reports {
  package static let schema = 1
}

package struct StatusReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  /// The router's name, as the orchestrator knows it.
  package var device: String
  /// Of the agent.
  package var version: String
  package var pid: Int32
  /// Of the agent.
  package var uptimeSeconds: Double
  /// Of the rule set that runs; null where none does.
  package var revision: UInt64?
  /// Where rule sets come from.
  package var source: String
  /// Since the source last answered; null: not yet.
  package var lastContactSeconds: Double?
  /// In a row.
  package var pullFailures: Int
  /// Why the last one failed.
  package var pullTrouble: String?
  /// Why the kernel is not as the rule set wants it.
  package var applyTrouble: String?
  package var rules: [RuleReport]
  /// All, unless the request's `paths` asked for some.
  package var paths: [PathReport]
  /// How many there are, and how many of them are `up`, whichever `paths` has.
  package var pathsInAll: Int
  package var pathsUp: Int
  package var uplinks: [UplinkReport]
  /// Null where no tunnel needs it.
  package var charon: CharonReport?
  /// The kernel's table of tracked connections; null where it tracks none.
  package var connections: ConnectionsReport?
  /// The last flips, from verdict to the kernel's answer.
  package var flipMicroseconds: [Double]
  package var flips: Int
  /// Why events do not get to the disk; null while they do.
  package var journalTrouble: String?
  /// What else does not get to the disk, and why: a restart will not know it.
  package var notKept: [String] = []
  /// What is held off the uplinks while no rule set runs and one should: `everything` or `strict_rules`; `left_over` where
  /// the kernel still has what an agent before this one put there; null for nothing.
  package var hold: String?
  /// Why no rule set runs then.
  package var holdCause: String?
  /// A rule set that is not confirmed yet, or was rolled back; null where what runs is confirmed and none was.
  package var trial: TrialReport?
  /// The lowest revision that is accepted once although a higher one runs (`accept-revision`); null for none.
  package var acceptsRevision: UInt64?
  /// What operators said of paths that the rule set does not have.
  package var forcesOfNoPath: [PathForceReport] = []
  /// How clients' packets were last looked at.
  package var sight = SightReport()
  /// `protected`, `partly`, `diverted`, `obstructed`, `unprotected`, `unencrypted`, `blocked`, `undecided` or `unsteered`:
  /// backhaul-troubleshooting(7) explains them.
  package var protection: String = ""
  /// The same as a sentence.
  package var summary: String = ""
  /// What to do about it, the worst first; nothing where all is well.
  package var nextSteps: [String] = []
}

package struct RuleReport: Codable, Equatable, Sendable {
  package var name: String
  package var enabled: Bool
  /// `backhaul`, `fallback`, `blocked` or `bypass`.
  package var mode: String
  /// `path:NAME`, `paths:NAME,NAME`, `local_wan:INTERFACE`, `underlay:INTERFACE`, `blocked`, or null before the first verdict.
  package var choice: String?
  package var path: String?
  package var device: String?
  /// The paths that share its flows now: one where `path` says which; none where traffic leaves by an uplink as it is,
  /// or nowhere.
  package var shares: [ShareReport]
  package var sinceSeconds: Double
  package var cause: String
  /// Its traffic goes by a private line without its tunnel's encryption.
  package var unencrypted: Bool
  /// In all, since the agent started.
  package var unencryptedSeconds: Double
  package var fallback: String
  package var failback: String
  /// Of live flows under `failback: drain`; null: until they end.
  package var drainLimitSeconds: Double?
  /// The ways that live flows were left on.
  package var draining: [DrainReport] = []
  package var holdDownMs: Int
  package var ipv6: String
  package var paths: [String]
  /// The same paths, tier by tier.
  package var tiers: [[ShareReport]]
  package var interfaces: [String]
  package var prefixes: Int
  package var table: UInt32?
  package var mark: UInt32?
  /// What was seen of its clients' packets; null for a disabled rule, and where they were not looked at yet.
  package var traffic: TrafficReport?
}

/// A path's part in a tier of a rule.
package struct ShareReport: Codable, Equatable, Sendable {
  package var path: String
  /// Beside the others of the tier.
  package var weight: Int
  package var device: String?
}

package struct PathReport: Codable, Equatable, Sendable {
  package var name: String
  /// `tunnel` or `uplink`.
  package var kind: String
  package var device: String
  package var uplink: String?
  /// `up`, `degraded`, `down`, `unknown` or `disabled`.
  package var state: String
  package var sinceSeconds: Double
  package var cause: String
  package var mark: UInt32
  /// Of the first probe of the path.
  package var rttMs: Double?
  package var jitterMs: Double?
  package var loss: Double?
  /// The rules whose traffic it carries now.
  package var carries: [String]
  /// What an operator says of it; null for nothing.
  package var forced: PathForceReport?
  /// Where the trouble lies: `hub_down`, `tunnel_down`, `uplink_down`, `internet_down` or `unclear`; null while the path is
  /// not down, or not all who are asked have answered yet.
  package var downCause: String?
  package var evidence: String?
  /// Where the cause is unclear, who could not tell: `hub`, `targets`, `gateway`, `probes` or `uplink`.
  package var missing: String?
  /// Why its device cannot be used at all, such as another program's that has its name.
  package var obstacle: String?
  /// `up`, `down`, `pending`, or `unknown` where charon does not answer; null where it needs none.
  package var keys: String?
}

package struct UplinkReport: Codable, Equatable, Sendable {
  package var interface: String
  package var tier: Int
  /// A private line.
  package var isPrivate: Bool
  package var usable: Bool
  package var obstacle: String?
  package var gateway: String?
  /// `up`, `down` or `unknown`: what those say who are asked by it.
  package var state: String = "unknown"
  package var scouts: [ScoutReport] = []
  /// What probes may take of it; null where it is not metered.
  package var probeBudget: ProbeBudgetReport?
}

package struct TunnelReport: Codable, Equatable, Sendable {
  package var name: String
  /// `gre`, `ipip`, `ipsec` or `external`.
  package var kind: String
  package var device: String
  package var hub: String
  package var uplink: String?
  package var local: String?
  package var remote: String
  package var key: UInt32?
  package var innerLocal: String?
  package var innerRemote: String?
  /// `up`, `down` or `absent`.
  package var link: String
  package var mtu: Int?
  package var mss: Int?
  /// The IPsec profile: of an `ipsec` tunnel its own, of another the one that it is protected by.
  package var profile: String?
  /// Of the device, since it was made.
  package var bytesIn: UInt64?
  package var bytesOut: UInt64?
  /// Null where no IPsec is involved.
  package var ike: IKEReport?
  package var child: ChildReport?
}

/// The IKE_SA of a tunnel.
package struct IKEReport: Codable, Equatable, Sendable {
  /// `absent` (charon does not answer), `none`, or charon's own word in small letters.
  package var state: String
  package var localID: String?
  package var remoteID: String?
  package var nat: Bool
  package var cipher: String?
  package var establishedSeconds: Double?
  package var rekeySeconds: Double?
  package var reauthSeconds: Double?
  /// Why there is none, as far as that is known.
  package var trouble: String?

  private enum CodingKeys: String, CodingKey {
    // A coder's snake case would make `local_i_d` of it.
    case state, nat, cipher, establishedSeconds, rekeySeconds, reauthSeconds, trouble
    case localID = "localId"
    case remoteID = "remoteId"
  }
}

/// The CHILD_SA of a tunnel: its pair of ESP SAs.
package struct ChildReport: Codable, Equatable, Sendable {
  /// `none`, or charon's own word in small letters.
  package var state: String
  /// `tunnel` or `transport`.
  package var mode: String?
  package var cipher: String?
  /// In UDP, as a NAT is in between.
  package var encapsulated: Bool
  package var installedSeconds: Double?
  package var rekeySeconds: Double?
  /// Since its keys were made.
  package var bytesIn: UInt64
  package var bytesOut: UInt64
}

/// strongSwan's daemon.
package struct CharonReport: Codable, Equatable, Sendable {
  package var answers: Bool
  package var version: String?
  package var trouble: String?
}

package struct ProbeReport: Codable, Equatable, Sendable {
  package var name: String
  package var path: String
  /// `icmp`, `http` or `https`.
  package var kind: String
  package var target: String
  /// `unknown`, `up` or `down`.
  package var state: String
  package var sinceSeconds: Double
  package var intervalMs: Int
  package var timeoutMs: Int
  package var fall: Int
  /// A gap without any answer that is no longer than this does not make the path down.
  package var patienceMs: Int?
  package var rise: Int
  package var lostInARow: Int
  package var answeredInARow: Int
  package var trouble: String?
  package var lastAnswerSeconds: Double?
  /// Over the last `windowProbes` probes.
  package var windowProbes: Int
  package var loss: Double?
  package var rttMs: Double?
  package var rttMinMs: Double?
  package var rttMeanMs: Double?
  package var rttMaxMs: Double?
  package var jitterMs: Double?
  /// Between two probes now: longer than `interval_ms` where a metered uplink's budget is short.
  package var paceMs: Int?
  /// Between two probes that confirm a suspicion: no shorter than what the target was seen to answer.
  package var confirmationMs: Int?
}

package struct EventReport: Codable, Equatable, Sendable {
  package var number: UInt64
  /// RFC 3339, UTC, milliseconds.
  package var time: String
  package var kind: String
  /// `debug`, `info`, `notice`, `warning` or `error`.
  package var severity: String
  package var subject: String
  package var text: String
  package var details: [String: String]
  /// By the monotonic clock, since event `number - 1`; null for the first of an agent's life.
  package var afterSeconds: Double?
}

package struct PathsReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var paths: [PathReport]
  /// What operators said of paths that the rule set does not have.
  package var forcesOfNoPath: [PathForceReport] = []
}

package struct TunnelsReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var tunnels: [TunnelReport]
}

package struct ProbesReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var probes: [ProbeReport]
  /// Of the metered uplinks.
  package var budgets: [ProbeBudgetReport] = []
}

package struct RulesReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var rules: [RuleReport]
}

package struct EventsReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  /// Oldest first.
  package var events: [EventReport]
  /// Older ones that were asked for too, beyond the limit.
  package var omitted: Int?
  /// Of the newest event there is, whether it was asked for or not: whoever follows goes on from here.
  package var lastNumber: UInt64?
  /// Why events do not get to the disk, or could not be read from it.
  package var trouble: String?
}
