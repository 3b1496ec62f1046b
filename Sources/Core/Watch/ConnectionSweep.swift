package import RuleSets

/// Connections that must go on elsewhere, because the way they were made on is left.
package struct ConnectionSweep: Equatable, Sendable {
  package var mark: Mark
  /// Nil: every connection of the mark.
  package var sources: [ClosedRange<UInt32>]?
  /// The path or uplink that is left, for the event.
  package var way: String
  /// The marks that they get, in turn; none: they are set up anew.
  package var heirs: [Mark]
  /// The uplink sends from this address now: only what left it with another that is no good any more.
  package var address: IPv4Address?

  package init(
    mark: Mark, sources: [ClosedRange<UInt32>]?, way: String, heirs: [Mark] = [], address: IPv4Address? = nil
  ) {
    self.address = address
    self.mark = mark
    self.sources = sources
    self.way = way
    self.heirs = heirs
  }
}
