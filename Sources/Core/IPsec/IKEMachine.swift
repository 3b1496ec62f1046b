package import RuleSets

/// One tunnel's keys over time: when charon is given the connection, when it is asked to make SAs, how long to wait
/// after a failure. charon does the IKE; this only makes sure that charon has what it needs.
///
///     absent ──charon came──▶ unloaded ──loaded──▶ idle ──initiate──▶ connecting ──SA seen──▶ up
///       ▲                      ▲  ▲ again after     ▲                     │                    │
///       │                      │  └──a refusal      │ after the pause     │ no SA seen         │ SA gone
///       └──charon went         └──new settings      └──────── waiting ◀───┴────────────────────┘
///
/// charon's state is always inspected, never remembered: an SA from before this machine is as good as one that it asked
/// for.
package struct IKEMachine: Equatable, Sendable {
  /// How far the tunnel's keys have come; see the diagram above.
  package enum Phase: String, CaseIterable, Equatable, Sendable {
    /// charon does not answer.
    case absent
    /// charon does not have the connection, or an older one.
    case unloaded
    /// charon has the connection and makes nothing of it.
    case idle
    /// charon is at work on an SA, or was just asked for one.
    case connecting
    case up
  }

  package private(set) var connection: IKEConnection
  package private(set) var phase: Phase = .absent
  package private(set) var associations = TunnelAssociations()
  /// Why there is no SA, as far as charon or we know.
  package var trouble: String? { word?.text }
  private var word: IKETrouble?
  /// charon has been asked for an SA again since the word came.
  private var wordIsOlder = false
  /// The SAs that are there were made by older settings.
  private var isStale = false
  /// charon's SAs have been looked at since it came.
  private var isSeen = false
  private var failures = 0
  private var upSince: Instant?
  private var undecidedUntil: Instant
  /// Rises with each reason to give charon everything again: a load that was begun before does not count.
  package private(set) var edition: UInt64 = 0
  /// charon is asked for nothing before this.
  private var nextAttempt: Instant
  /// SAs are not ended before this: one that will not go is no reason to kill its successor again and again.
  private var nextTermination: Instant
  /// When charon's report about the SA is overdue.
  private var nextLook: Instant

  package static let firstPause: Duration = .seconds(1)
  package static let longestPause: Duration = .seconds(30)
  /// How long charon may take to show an SA that it was asked for.
  static let patience: Duration = .seconds(1)
  /// charon by itself says after four seconds that a hub is silent (swanctl.conf(5), `retransmit_timeout`).
  static let decisionTime: Duration = .seconds(5)
  /// SAs that last less long are as good as none: two routers of one name throw each other out all the time.
  static let probation = longestPause

  package init(_ connection: IKEConnection, at now: Instant) {
    self.connection = connection
    nextAttempt = now
    nextTermination = now
    nextLook = now
    undecidedUntil = now
  }

  // MARK: Facts

  /// charon answers, for the first time or again: it knows nothing of us, until it is seen.
  package mutating func charonCame(at now: Instant) {
    isSeen = false
    loadAgain(at: now)
  }

  /// charon no longer answers, so its SAs are unknown.
  package mutating func charonWent() {
    phase = .absent
    associations = TunnelAssociations()
    isSeen = false
    word = nil
  }

  /// The rule set, the uplink's address or a secret is another.
  package mutating func connectionChanged(to new: IKEConnection, at now: Instant) {
    // A number that only concerns other tunnels changes nothing that this one's SAs were made with.
    var same = connection
    same.sharesIDs = new.sharesIDs
    // SAs that exist but were not seen yet were made by older settings too.
    isStale = isStale || (same != new && (isBusy || !isSeen))
    connection = new
    if phase != .absent { loadAgain(at: now) }
  }

  /// Its files may have changed: charon is given them again. What runs, runs on.
  package mutating func reload(at now: Instant) {
    if phase != .absent { loadAgain(at: now) }
  }

  private mutating func loadAgain(at now: Instant) {
    phase = .unloaded
    edition += 1
    failures = 0
    nextAttempt = now
    undecidedUntil = now + Self.decisionTime
  }

  /// charon has accepted the connection of the current `edition`.
  package mutating func loaded(at now: Instant) {
    guard phase == .unloaded else { return }
    phase = .idle
    word = nil
    failures = 0
    nextAttempt = now
    settle(at: now)
  }

  /// charon, or a file, refused.
  package mutating func refused(_ why: String, at now: Instant, chance: Double) {
    guard phase != .absent else { return }
    take(IKETrouble(why, .answer))
    if phase == .connecting && associations.ike == nil { phase = .idle }
    pause(from: now, chance)
  }

  /// charon is being asked for SAs. Before its answer, which takes time: what changes meanwhile must know of them.
  package mutating func initiating(at now: Instant) {
    guard phase == .idle else { return }
    phase = .connecting
    nextLook = now + Self.patience
    wordIsOlder = true
  }

  /// charon has been asked to end the tunnel's SAs and has answered. They are not ended again before `firstPause` is
  /// over.
  package mutating func terminated(at now: Instant) {
    isStale = false
    associations = TunnelAssociations()
    if phase != .unloaded && phase != .absent { phase = .idle }
    nextAttempt = now
    nextTermination = now + Self.firstPause
  }

  /// charon reports that something went wrong. The most certain report of an attempt stays, whatever follows. A report
  /// from an earlier attempt stays until this one has shown as much, or until charon has given the hub up: a
  /// retransmitted request proves nothing new.
  package mutating func noticed(_ new: IKETrouble) {
    guard phase != .absent && !associations.isUp else { return }
    if let word, new.certainty < (wordIsOlder ? min(word.certainty, .silence) : word.certainty) { return }
    take(new)
  }

  private mutating func take(_ new: IKETrouble) {
    word = new
    wordIsOlder = false
  }

  /// What charon has of it now. `chance` is only called if there is a pause.
  package mutating func saw(_ new: TunnelAssociations, at now: Instant, chance: @autoclosure () -> Double) {
    guard phase != .absent else { return }
    let wasUp = associations.isUp
    associations = new
    isSeen = true
    if new.isUp && phase != .unloaded { word = nil }
    if new.isUp && !wasUp {
      upSince = now
      nextAttempt = phase == .unloaded ? nextAttempt : now
    } else if wasUp && !new.isUp, let since = upSince, since + Self.probation <= now {
      failures = 0
    }
    let wasConnecting = phase == .connecting
    settle(at: now)
    if phase == .idle && (wasConnecting || wasUp) { pause(from: now, chance()) }
  }

  /// The phase that follows from the SAs.
  private mutating func settle(at now: Instant) {
    switch phase {
    case .absent, .unloaded: return
    case .idle, .connecting, .up: break
    }
    if associations.isUp {
      phase = .up
    } else if associations.ike?.isConnecting == true {
      phase = .connecting
      nextLook = now + Self.patience
    } else if phase == .connecting && now < nextLook {
      // It may not have begun yet.
    } else {
      phase = .idle
    }
  }

  private mutating func pause(from now: Instant, _ chance: Double) {
    let doubled = Self.firstPause * (1 << min(failures, 10))
    let half = min(doubled, Self.longestPause) / 2
    failures = min(failures + 1, 30)
    nextAttempt = now + half + half * min(max(chance, 0), 1)
  }

  private var isBusy: Bool { associations.ike != nil || phase == .connecting }

  // MARK: Decisions

  /// What to ask of charon now. The driver reports it back as a fact when it is done.
  package func next(at now: Instant) -> IKEStep? {
    switch phase {
    case .absent: return nil
    case .unloaded: return nextAttempt <= now ? .load(connection) : nil
    case .idle, .connecting, .up:
      // Whether SAs are stale is not known before they were seen.
      guard isSeen, nextAttempt <= now else { return nil }
      if mustEnd { return nextTermination <= now ? .terminate(connection.tunnel) : nil }
      return phase == .idle ? .initiate(connection.tunnel) : nil
    }
  }

  private var mustEnd: Bool { isStale || hasStrayed }

  /// The SAs begin at an address that the uplink no longer has (seen after a restart of the agent).
  private var hasStrayed: Bool {
    guard let ike = associations.ike, ike.isEstablished || ike.isConnecting, let local = ike.local else { return false }
    return local != connection.local
  }

  /// When `next` must be asked again or, while connecting, charon be looked at; nil: not before something happens.
  package var nextDeadline: Instant? {
    switch phase {
    case .absent: return nil
    case .unloaded: return nextAttempt
    case .idle, .connecting, .up:
      guard isSeen else { return nil }
      if mustEnd { return max(nextAttempt, nextTermination) }
      return switch phase {
      case .idle: nextAttempt
      case .connecting: nextLook
      case .absent, .unloaded, .up: nil
      }
    }
  }

  /// charon was given the connection and the credentials.
  package var hasLoaded: Bool { phase != .absent && phase != .unloaded }

  /// charon runs, and has neither made an SA nor failed yet. One or the other happens soon.
  package func isUndecided(at now: Instant) -> Bool {
    phase != .absent && !associations.isUp && word == nil && failures == 0 && now < undecidedUntil
  }

  /// charon must be inspected: it has not been yet, or its report about the SA is overdue.
  package func wantsLook(at now: Instant) -> Bool {
    phase != .absent && (!isSeen || (phase == .connecting && nextLook <= now))
  }
}
