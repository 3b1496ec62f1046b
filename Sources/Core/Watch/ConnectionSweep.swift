package import RuleSets

/// Connections that must go on elsewhere, because the way they were made on is left.
package struct ConnectionSweep: Equatable, Sendable {
  /// No mark of ours: of those of the unmarked only whose source was translated, as they left by an uplink.
  package var mark: Mark
  /// Nil: every connection of the mark.
  package var sources: [ClosedRange<UInt32>]?
  /// Those of the first packet; nil: any.
  package var destinations: [ClosedRange<UInt32>]?
  /// Nil: whoever decided about them.
  package var filter: FlowFilter?
  /// The path or uplink that is left, for the event.
  package var way: String
  /// The marks that they get, in turn; none: they are set up again. One whose source was translated is set up again in any
  /// case: what it was translated to is of the way that it was made on.
  package var heirs: [Mark]
  /// The uplink sends from this address now: only what left it with another that is no good any more, because the router
  /// does not have that one, or nobody has ever answered there.
  package var address: IPv4Address?
  /// Nothing is reported of it: as a rule it meets nothing.
  package var isSilent = false

  package init(
    mark: Mark, sources: [ClosedRange<UInt32>]?, way: String, destinations: [ClosedRange<UInt32>]? = nil,
    heirs: [Mark] = [], address: IPv4Address? = nil, filter: FlowFilter? = nil
  ) {
    self.filter = filter
    self.address = address
    self.destinations = destinations
    self.mark = mark
    self.sources = sources
    self.way = way
    self.heirs = heirs
  }

  /// Those from `sources` that were set up before they were steered.
  package static func early(from sources: [ClosedRange<UInt32>]) -> ConnectionSweep {
    ConnectionSweep(mark: Mark(value: 0), sources: sources, way: "early")
  }

  /// Those of a mark that an egress has from now on: what carries it has settled on another that had it before.
  package static func stale(_ mark: Mark) -> ConnectionSweep {
    var sweep = ConnectionSweep(mark: mark, sources: nil, way: "stale")
    sweep.isSilent = true
    return sweep
  }

  /// Those that a change of steering rules gives to others.
  package static func decidedAnew(_ mark: Mark, by change: FlowChange) -> ConnectionSweep {
    var sweep = ConnectionSweep(mark: mark, sources: nil, way: "steering rules", filter: .decidedAnew(change))
    sweep.isSilent = true
    return sweep
  }

  /// Those to destinations that the router's resolver has just found for a rule's domains.
  package static func learnt(
    _ mark: Mark, _ destinations: [ClosedRange<UInt32>], of rule: Name, by owners: FlowOwners
  ) -> ConnectionSweep {
    var sweep = ConnectionSweep(
      mark: mark, sources: nil, way: "steering rule \(rule)", destinations: destinations,
      filter: .ofRule(rule, owners))
    sweep.isSilent = true
    return sweep
  }

  package var isOfTheUnmarked: Bool { mark.value == 0 }
  /// The mark says it all: the kernel finds them by itself.
  package var isOfTheMarkAlone: Bool {
    !isOfTheUnmarked && sources == nil && destinations == nil && heirs.isEmpty && address == nil && filter == nil
  }
}
