package import RuleSets

/// What was seen of one rule's traffic, look by look: a finding is reported once it was seen twice, a second apart, and
/// dropped as soon as it is no longer seen.
package struct RuleSight: Equatable, Sendable {
  /// Between two looks of which the second confirms the first.
  package static let confirmation: Duration = .seconds(1)

  private struct Candidate: Equatable {
    var finding: TrafficFinding
    var first: Instant
    var isConfirmed: Bool
  }

  private var candidates: [Candidate] = []
  private var isSeen = false
  /// When the state was last another one.
  package private(set) var since: Instant
  package private(set) var state: TrafficFinding.State = .unseen
  package var evidence = FlowEvidence()

  package init(at now: Instant) { since = now }

  /// The worst first; nothing where all goes as it should, or nothing is known yet.
  package var findings: [TrafficFinding] {
    candidates.filter(\.isConfirmed).map(\.finding).sorted { $0.state < $1.state }
  }

  /// Something is found that another look must confirm.
  package var isSuspicious: Bool { candidates.contains { !$0.isConfirmed } || evidence.isSuspicious }

  /// One look.
  ///
  /// - Parameters:
  ///   - certain: what has been seen long enough already.
  ///   - isWhole: the rule has a way that could be asked about; without one nothing speaks for it either.
  package mutating func looked(
    _ found: [TrafficFinding], certain: [TrafficFinding] = [], isWhole: Bool = true, at now: Instant
  ) {
    var next = certain.map { Candidate(finding: $0, first: now, isConfirmed: true) }
    for finding in found where !next.contains(where: { $0.finding.isSame(as: finding) }) {
      guard let known = candidates.first(where: { $0.finding.isSame(as: finding) }) else {
        next.append(Candidate(finding: finding, first: now, isConfirmed: false))
        continue
      }
      let isConfirmed = known.isConfirmed || now - known.first >= Self.confirmation
      next.append(Candidate(finding: finding, first: known.first, isConfirmed: isConfirmed))
    }
    candidates = next
    // What the very first look suspects is not denied for the time that it takes to know.
    isSeen = isSeen || isWhole && next.allSatisfy(\.isConfirmed)
    turn(to: findings.first?.state ?? (isSeen ? .asIntended : .unseen), at: now)
  }

  /// It goes another way now: what was found of the old one says nothing.
  package mutating func turned(at now: Instant) {
    candidates.removeAll { $0.finding.isOfWay }
    if isSeen { turn(to: findings.first?.state ?? .asIntended, at: now) }
  }

  /// It could not be looked at for too long.
  package mutating func lost(at now: Instant) {
    candidates = []
    isSeen = false
    turn(to: .unseen, at: now)
  }

  private mutating func turn(to new: TrafficFinding.State, at now: Instant) {
    if new != state { since = now }
    state = new
  }
}

extension TrafficFinding {
  /// The same trouble, whatever it was seen by this time.
  package func isSame(as other: TrafficFinding) -> Bool {
    switch (self, other) {
    case (.diverted(let left), .diverted(let right)): left.device == right.device && left.cause.isAlike(right.cause)
    case (.untaken(let left), .untaken(let right)), (.misnamed(let left), .misnamed(let right)):
      left.kind == right.kind && left.device == right.device
    case (.leaking(let left), .leaking(let right)): left.device == right.device && left.rule == right.rule
    case (.unrouted, .unrouted), (.ended, .ended), (.unforwarded, .unforwarded), (.refused, .refused),
      (.dropped, .dropped),
      (.unmarked, .unmarked),
      (.unanswered, .unanswered), (.connectionTableFull, .connectionTableFull):
      true
    default: false
    }
  }

  /// It depends on the way that the rule has chosen.
  var isOfWay: Bool {
    switch self {
    case .diverted, .unrouted, .ended, .dropped, .unmarked, .unanswered: true
    case .leaking, .refused, .unforwarded, .untaken, .misnamed, .connectionTableFull: false
    }
  }
}

extension Detour.Cause {
  /// Halves of the internet come one after the other, and each alone is a default route in disguise.
  fileprivate func isAlike(_ other: Self) -> Bool {
    if case (.route, .route) = (self, other) { return true }
    return self == other
  }
}
