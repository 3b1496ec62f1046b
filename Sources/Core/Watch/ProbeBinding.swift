package import RuleSets

/// How a probe is tied to its path: device, mark and source address, all three.
package struct ProbeBinding: Hashable, Sendable {
  package var device: InterfaceName
  package var mark: Mark
  package var source: IPv4Address

  package init(device: InterfaceName, mark: Mark, source: IPv4Address) {
    self.device = device
    self.mark = mark
    self.source = source
  }
}
