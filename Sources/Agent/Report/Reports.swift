/// The forms that the local socket and `--json` give out. Keys are the property names in snake_case; a key is never
/// renamed or reused within one `schema`.
package enum Reports {
  package static let schema = 1
}

/// What `status` answers.
package struct StatusReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  /// The router's name, as the orchestrator knows it.
  package var device: String
  /// The agent's version.
  package var version: String
  package var pid: Int32
  /// How long the agent has run.
  package var uptimeSeconds: Double
  /// The running rule set's revision; null if none is running.
  package var revision: UInt64?
  /// Where rule sets come from.
  package var source: String
  /// How long ago the source last answered; null if it has not yet.
  package var lastContactSeconds: Double?
  /// Consecutive failed pulls.
  package var pullFailures: Int
  /// Why the last pull failed.
  package var pullTrouble: String?
  /// Why the kernel does not match the rule set; null if it does.
  package var applyTrouble: String?
  /// What the flowtable does: `on`, `idle` where the rule set has no connections for it, or why the kernel refuses it; null
  /// where `kernel.flowtable` is off.
  package var flowtable: String?
  package var rules: [RuleReport]
  /// Every path, unless the request's `paths` picked some.
  package var paths: [PathReport]
  /// How many paths exist, and how many of them are `up`, however few `paths` lists.
  package var pathsInAll: Int
  package var pathsUp: Int
  package var uplinks: [UplinkReport]
  /// Null where no tunnel needs it.
  package var charon: CharonReport?
  /// The kernel's connection tracking table; null if it tracks none.
  package var connections: ConnectionsReport?
  /// How long the last flips took, from the verdict to the kernel's answer.
  package var flipMicroseconds: [Double]
  package var flips: Int
  /// Why events are not reaching the disk; null while they are.
  package var journalTrouble: String?
  /// What else is not reaching the disk, and why: a restart will not know it.
  package var notKept: [String] = []
  /// What is held off the uplinks while no rule set is running and one should: `everything` or `strict_rules`; `left_over`
  /// where the kernel still has what an agent before this one put there; null for nothing.
  package var hold: String?
  /// Why no rule set is running then.
  package var holdCause: String?
  /// A rule set that is not confirmed yet, or was rolled back; null if what runs is confirmed and none was.
  package var trial: TrialReport?
  /// The lowest revision that is accepted once although a higher one runs (`accept-revision`); null for none.
  package var acceptsRevision: UInt64?
  /// Forced states of paths that the rule set does not have.
  package var forcesOfNoPath: [PathForceReport] = []
  /// How the last look at clients' packets went.
  package var sight = SightReport()
  /// `protected`, `partly`, `diverted`, `obstructed`, `unprotected`, `unencrypted`, `blocked`, `undecided` or
  /// `unsteered`: backhaul-troubleshooting(7) explains them.
  package var protection: String = ""
  /// The same as a sentence.
  package var summary: String = ""
  /// What to do about it, the worst problem first; empty if all is well.
  package var nextSteps: [String] = []
}

/// One rule, and which way its traffic goes now.
package struct RuleReport: Codable, Equatable, Sendable {
  package var name: String
  package var enabled: Bool
  /// `backhaul`, `fallback`, `blocked` or `bypass`.
  package var mode: String
  /// `path:NAME`, `paths:NAME,NAME`, `local_wan:INTERFACE`, `underlay:INTERFACE`, `blocked`, or null before the first
  /// verdict.
  package var choice: String?
  package var path: String?
  package var device: String?
  /// The paths that share its flows now: just `path` where that is set; none where traffic leaves by an uplink
  /// unencapsulated, or is blocked.
  package var shares: [ShareReport]
  package var sinceSeconds: Double
  package var cause: String
  /// Its traffic is on a private line, without its tunnel's encryption.
  package var unencrypted: Bool
  /// The total since the agent started.
  package var unencryptedSeconds: Double
  package var fallback: String
  package var failback: String
  /// How long live flows may stay under `failback: drain`; null: until they end.
  package var drainLimitSeconds: Double?
  /// The former ways that live flows are still on.
  package var draining: [DrainReport] = []
  package var holdDownMs: Int
  package var ipv6: String
  package var paths: [String]
  /// The same paths, tier by tier.
  package var tiers: [[ShareReport]]
  package var interfaces: [String]
  package var prefixes: Int
  /// The egress that it names; null if it says itself where its traffic goes.
  package var egress: String?
  package var table: UInt32?
  package var mark: UInt32?
  /// What it chooses among paths that are up by: `order`, `latency` or `loss`. Agents before schema 1's steering rules do
  /// not say it; theirs is `order`.
  package var choose: String?
  /// What the last look at its clients' packets showed; null for a disabled rule and before the first look.
  package var traffic: TrafficReport?
}

/// A path's part in a tier of a rule.
package struct ShareReport: Codable, Equatable, Sendable {
  package var path: String
  /// Its weight relative to the tier's other paths.
  package var weight: Int
  package var device: String?
}

/// One path and its health.
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
  /// Measured by the path's first probe, as are the next two.
  package var rttMs: Double?
  package var jitterMs: Double?
  package var loss: Double?
  /// The rules whose traffic it carries now.
  package var carries: [String]
  /// The state an operator has forced; null if none is.
  package var forced: PathForceReport?
  /// Where the trouble lies: `hub_down`, `tunnel_down`, `uplink_down`, `internet_down` or `unclear`; null while the
  /// path is not down or some of those asked have yet to answer.
  package var downCause: String?
  package var evidence: String?
  /// What kept the cause unclear: `hub`, `targets`, `gateway`, `probes` or `uplink`.
  package var missing: String?
  /// Why its device cannot be used at all, for example because another program's device has its name.
  package var obstacle: String?
  /// `up`, `down`, `pending`, or `unknown` where charon does not answer; null if the path needs no keys.
  package var keys: String?
}

/// One uplink, and whether the internet can be reached by it.
package struct UplinkReport: Codable, Equatable, Sendable {
  package var interface: String
  package var tier: Int
  /// Whether it is a private line.
  package var isPrivate: Bool
  package var usable: Bool
  package var obstacle: String?
  package var gateway: String?
  /// `up`, `down` or `unknown`, according to the scouts that are pinged over it.
  package var state: String = "unknown"
  package var scouts: [ScoutReport] = []
  /// How much of it probes may use; null if it is not metered.
  package var probeBudget: ProbeBudgetReport?
}

/// One tunnel: its device, its two ends, its counters and its SAs.
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
  /// The IPsec profile: an `ipsec` tunnel's own, or the one that protects a tunnel of another kind.
  package var profile: String?
  /// The device's counters since it was created.
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
  /// Why the tunnel has no IKE_SA, as far as we know.
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
  /// ESP is wrapped in UDP because there is a NAT in between (RFC 3948).
  package var encapsulated: Bool
  package var installedSeconds: Double?
  package var rekeySeconds: Double?
  /// Traffic since its last rekeying.
  package var bytesIn: UInt64
  package var bytesOut: UInt64
}

/// strongSwan's daemon.
package struct CharonReport: Codable, Equatable, Sendable {
  package var answers: Bool
  package var version: String?
  package var trouble: String?
}

/// One probe, its settings and what it has measured. Durations are in the unit that ends their names.
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
  /// A gap in the answers up to this long does not bring the path down.
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
  /// The time between two probes now: longer than `interval_ms` where a metered uplink's budget is short.
  package var paceMs: Int?
  /// The time between two probes that confirm a suspicion, never shorter than the target has been seen to need.
  package var confirmationMs: Int?
}

/// One event of the journal.
package struct EventReport: Codable, Equatable, Sendable {
  package var number: UInt64
  /// RFC 3339, UTC, milliseconds.
  package var time: String
  package var kind: String
  /// `debug`, `info`, `notice`, `warning` or `error`.
  package var severity: String
  /// What it is about: a rule, path or tunnel, or the egress that several rules share.
  package var subject: String
  package var text: String
  /// More about it, by name. If several rules share an egress, `rules` has their names separated by commas, up to 1,024
  /// bytes.
  package var details: [String: String]
  /// The time since event `number - 1` by the monotonic clock; null for the first event after the agent's start.
  package var afterSeconds: Double?
}

/// What `paths` answers.
package struct PathsReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var paths: [PathReport]
  /// Forced states of paths that the rule set does not have.
  package var forcesOfNoPath: [PathForceReport] = []
}

/// What `tunnels` answers.
package struct TunnelsReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var tunnels: [TunnelReport]
}

/// What `probes` answers.
package struct ProbesReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var probes: [ProbeReport]
  /// The metered uplinks' budgets.
  package var budgets: [ProbeBudgetReport] = []
}

/// What `rules` answers.
package struct RulesReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var rules: [RuleReport]
  /// In the order in which they are asked.
  package var steering: [SteeringReport]
}

/// One steering rule, and what it has taken.
package struct SteeringReport: Codable, Equatable, Sendable {
  package var name: String
  package var enabled: Bool
  /// False where it is disabled, or its schedule says that it does not hold now.
  package var holds: Bool
  /// `egress`, `direct` or `drop`.
  package var action: String
  package var egress: String?
  /// What it asks of packets, in words.
  package var match: String
  /// `backhaul`, `fallback` or `blocked`, of the egress.
  package var mode: String?
  /// Where the egress leads now, as a rule's `choice`.
  package var choice: String?
  package var cause: String?
  /// What it has taken since it is in the kernel; null where that cannot be read.
  package var packets: UInt64?
  package var bytes: UInt64?
}

/// What `events` answers.
package struct EventsReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  /// Oldest first.
  package var events: [EventReport]
  /// How many older events matched too but exceeded the limit.
  package var omitted: Int?
  /// The newest event's number, whether or not it matched: a follower continues from here.
  package var lastNumber: UInt64?
  /// Why events are not reaching the disk, or could not be read from it.
  package var trouble: String?
}
