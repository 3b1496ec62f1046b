package import RuleSets

/// What operators say of paths, whatever their probes say, until they take it back or its time is over. A force may be of
/// a path that no rule set has: it is kept until one has it again.
///
/// Within one life of the agent a force ends by the monotonic clock, so that no step of the wall clock cuts or stretches
/// it. After a restart the wall clock says what is left, and never more than it was given at first: a router that boots
/// with a clock in the past does not keep it for years.
package struct ForcedPaths: Equatable, Sendable {
  /// One path's.
  package struct Entry: Equatable, Sendable {
    package var force: PathHealth.Force
    package var since: WallTime
    /// Nil: until it is taken back.
    package var until: WallTime?
    /// Who said it.
    package var user: UInt32
    package var reason: String?

    package init(_ force: PathHealth.Force, since: WallTime, until: WallTime?, user: UInt32, reason: String?) {
      self.force = force
      self.since = since
      self.until = until
      self.user = user
      self.reason = reason
    }
  }

  /// As many as a rule set may have paths, so only made-up names can exceed it.
  package static let capacity = RuleSetBounds.paths
  /// How long a force may be meant for: a year. Without an end it may last for ever.
  package static let longest: Duration = .seconds(366 * 86_400)
  /// Bytes of a reason.
  package static let longestReason = 200

  package private(set) var entries: [Name: Entry] = [:]
  /// When those that end do.
  private var deadlines: [Name: Instant] = [:]

  package init() {}

  /// Takes over what an earlier agent saved, unless it has expired.
  package init(_ kept: [Name: Entry], at now: Instant, _ time: WallTime) {
    for (path, entry) in kept.sorted(by: { $0.key < $1.key }).prefix(Self.capacity) {
      guard let until = entry.until else {
        entries[path] = entry
        continue
      }
      let given = until.secondsSince1970 - entry.since.secondsSince1970
      let left = min(until.secondsSince1970 - time.secondsSince1970, given, Self.longest.inSeconds)
      guard left > 0 else { continue }
      entries[path] = entry
      deadlines[path] = now + .milliseconds(Int64(left * 1_000))
    }
  }

  /// The operator's order for a path; nil if none is in force.
  package func force(of path: Name) -> PathHealth.Force? { entries[path]?.force }

  /// There is room for this path's.
  package func hasRoom(for path: Name) -> Bool { entries[path] != nil || entries.count < Self.capacity }

  /// The latest word on a path is the one that counts.
  package mutating func forced(_ path: Name, _ entry: Entry, for lasting: Duration?, at now: Instant) {
    entries[path] = entry
    deadlines[path] = lasting.map { now + $0 }
  }

  /// Returns what was cleared; nil if there was nothing.
  @discardableResult package mutating func takenBack(_ path: Name) -> Entry? {
    deadlines[path] = nil
    return entries.removeValue(forKey: path)
  }

  /// When the next one expires; nil if none does.
  package var nextDeadline: Instant? { deadlines.values.min() }

  /// Removes what is over by now, and returns it in the order of names.
  package mutating func timePassed(to now: Instant) -> [(path: Name, entry: Entry)] {
    deadlines.filter { $0.value <= now }.keys.sorted().compactMap { path in
      takenBack(path).map { (path, $0) }
    }
  }
}
