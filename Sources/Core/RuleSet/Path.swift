/// A way out for traffic.
package struct Path: Equatable, Sendable {
  package enum Way: Equatable, Sendable {
    case tunnel(Name)
    case uplink(InterfaceName)
  }

  package var name: Name
  package var way: Way

  package init(name: Name, way: Way) {
    self.name = name
    self.way = way
  }
}
