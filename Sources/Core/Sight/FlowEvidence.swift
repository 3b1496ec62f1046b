package import RuleSets

/// Whether what a rule marks also leaves, by counters: where packets come and none leaves, somebody drops them.
///
///     quiet ──packets came, none left──▶ suspected ──again, and enough of them──▶ lost
///       ▲                                    │                                     │
///       └────────── one left, or it goes another way ◀─────────────────────────────┘
///
/// A firewall may rightly refuse the one client that knocks at a shut port at night. Where traffic has left by the same way
/// under the same firewall before, many more must come, for longer, before anything is said.
package struct FlowEvidence: Equatable, Sendable {
  /// Packets of one rule since its counters began, at each place.
  package struct Counts: Equatable, Sendable {
    package var taken: UInt64
    package var kept: UInt64
    package var passed: UInt64
    package var left: UInt64
    /// Packets from LANs without any rule's mark that left by the devices that the rule's packets should leave by.
    package var carried: UInt64
    /// The same, by each of the others.
    package var strayed: [InterfaceName: UInt64]

    package init(
      taken: UInt64 = 0, kept: UInt64 = 0, passed: UInt64 = 0, left: UInt64 = 0, carried: UInt64 = 0,
      strayed: [InterfaceName: UInt64] = [:]
    ) {
      self.carried = carried
      self.strayed = strayed
      self.taken = taken
      self.kept = kept
      self.passed = passed
      self.left = left
    }

    /// Nil if the counters were reset in between.
    fileprivate func since(_ before: Counts) -> Counts? {
      guard taken >= before.taken, kept >= before.kept, passed >= before.passed, left >= before.left,
        carried >= before.carried, strayed.allSatisfy({ $0.value >= before.strayed[$0.key] ?? 0 })
      else { return nil }
      return Counts(
        taken: taken - before.taken, kept: kept - before.kept, passed: passed - before.passed,
        left: left - before.left, carried: carried - before.carried,
        strayed: strayed.reduce(into: [:]) { $0[$1.key] = $1.value - (before.strayed[$1.key] ?? 0) })
    }
  }

  /// What the counts were taken under.
  package struct Conditions: Equatable, Sendable {
    package var way: RuleSelection.Choice
    /// The generation of the whole nftables ruleset, ours and others' (NFTA_GEN_ID).
    package var generation: UInt32

    package init(way: RuleSelection.Choice, generation: UInt32) {
      self.way = way
      self.generation = generation
    }
  }

  /// Enough where nothing speaks for the firewall: a client's first tries, or a second of pings at any rate.
  static let few: UInt64 = 4
  static let leastTime: Duration = .seconds(1)
  static let many: UInt64 = 60
  static let longTime: Duration = .seconds(30)
  /// After so long without traffic, findings are forgotten.
  static let memory: Duration = .seconds(60)

  private struct Suspicion: Equatable {
    var since: Instant
    var base: Counts
    var looks: Int
  }

  private var last: (counts: Counts, at: Instant)?
  private var conditions: Conditions?
  private var suspicion: Suspicion?
  private var proven: Conditions?
  private var lastTraffic: Instant?
  /// Where packets are lost; nil if no loss is known.
  package private(set) var loss: LossPlace?
  /// The device that packets which seemed lost before the forward chain still leave by, unmarked; nil if none is known.
  package private(set) var stray: InterfaceName?

  package init() {}

  /// It must be looked at again soon.
  package var isSuspicious: Bool { suspicion != nil && loss == nil }

  /// The rule can count nothing now: its traffic goes nowhere, or there is no verdict yet.
  package mutating func rested() { self = FlowEvidence() }

  /// The rule's counters were read. It judges their increase since the previous reading; counters that were reset, or a
  /// new way, end any suspicion.
  package mutating func counted(_ counts: Counts, under conditions: Conditions, at now: Instant) {
    defer { (last, self.conditions) = ((counts, now), conditions) }
    guard let last, conditions.way == self.conditions?.way, let new = counts.since(last.counts) else {
      suspicion = nil
      loss = nil
      return
    }
    if new.left > 0 {
      // What left before the firewall changed speaks for the old one alone.
      proven = conditions == self.conditions ? conditions : nil
      suspicion = nil
      loss = nil
      lastTraffic = now
      return
    }
    guard new.passed > 0 || new.taken > new.kept else {
      if let lastTraffic, now - lastTraffic >= Self.memory { (suspicion, loss) = (nil, nil) }
      return
    }
    lastTraffic = now
    var found = suspicion ?? Suspicion(since: last.at, base: last.counts, looks: 0)
    found.looks += 1
    suspicion = found
    guard let all = counts.since(found.base) else { return }
    let (amount, place): (UInt64, LossPlace) =
      all.passed > 0 ? (all.passed, .afterForward) : (all.taken &- min(all.taken, all.kept), .beforeForward)
    // An ip rule of ours carries what has lost its mark.
    if place == .beforeForward, amount > 0, all.carried >= amount / 2 {
      (suspicion, loss) = (nil, nil)
      return
    }
    let isProven = proven == conditions
    guard found.looks >= 2, now - found.since >= (isProven ? Self.longTime : Self.leastTime),
      amount >= (isProven ? Self.many : Self.few)
    else { return }
    loss = place
    stray = all.strayed.filter { $0.value > 0 && $0.value >= amount / 2 }.max { $0.value < $1.value }?.key
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.last?.counts == right.last?.counts && left.last?.at == right.last?.at && left.conditions == right.conditions
      && left.suspicion == right.suspicion && left.proven == right.proven && left.lastTraffic == right.lastTraffic
      && left.loss == right.loss && left.stray == right.stray
  }
}
