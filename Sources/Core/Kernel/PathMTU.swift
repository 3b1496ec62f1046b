package import RuleSets

/// Whose way a path MTU is of: the same address may be reached by several devices.
package struct PathMTUKey: Hashable, Sendable {
  package var destination: IPv4Address
  package var device: InterfaceName

  package init(_ destination: IPv4Address, by device: InterfaceName) {
    self.destination = destination
    self.device = device
  }
}
