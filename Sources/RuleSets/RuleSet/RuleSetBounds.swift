/// Bounds of a rule set that more than one field, or more than the document, has to keep. All others stand in the statement
/// of their field (`Described`), as these do by name.
package enum RuleSetBounds {
  package static let revision: ClosedRange<Int64> = 1...(1 << 53 - 1)
  /// Five seconds, below which rekeying is all that charon would do, up to a week.
  static let rekey: ClosedRange<Int64> = 5...604_800
  package static let tunnels = 1024
  package static let paths = 1024
  package static let probes = 4096
  static let pathsOfEgress = 64
  /// In the whole document, and so in one list as well.
  package static let prefixes = 100_000
  package static let steeringRules = 4096
  /// Of one steering rule.
  package static let domainsOfRule = 4096
  static let macsOfRule = 1024
  static let portsOfRule = 256
  /// Of its MAC addresses, protocols and ports: each is an element in the kernel.
  static let combinationsOfRule = 4096
  /// Of all steering rules together.
  package static let domains = 16_384
  package static let macs = 16_384
  package static let ports = 16_384
  static let probeTimeout: ClosedRange<Int64> = 10...3_600_000
}
