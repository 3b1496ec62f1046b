/// A way out for traffic.
package struct Path: Equatable, Sendable {
  /// What a path leaves by: the tunnel of this name, or an uplink without any tunnel.
  package enum Way: Equatable, Sendable {
    case tunnel(Name)
    case uplink(InterfaceName)
  }

  package var name: Name
  package var way: Way
  /// How many of its probes must be answered for it to be up; nil: all of them.
  package var quorum: Int?
  /// Nil: a path that is not down is up.
  @Apart package var limits: PathLimits?

  package init(name: Name, way: Way, quorum: Int? = nil, limits: PathLimits? = nil) {
    self.name = name
    self.way = way
    self.quorum = quorum
    self.limits = limits
  }
}
