package import RuleSets

/// A flowtable at the `ingress` hook: established connections that a rule adds to it (`flow add`) are forwarded between its
/// devices before any chain sees their packets.
package struct NftFlowtable: Hashable, Sendable {
  package var name: String
  /// Counted as in nft(8): filter is 0.
  package var priority: Int32
  /// Ascending, each once.
  package private(set) var devices: [InterfaceName]

  package init(name: String, priority: Int32 = 0, devices: some Sequence<InterfaceName>) {
    self.name = name
    self.priority = priority
    self.devices = Set(devices).sorted()
  }
}
