/// How much of each a rule set may hold. Far above what a router needs, and low enough that no document can make the
/// agent slow or fat. The JSON Schema states the same numbers.
package enum RuleSetBounds {
  package static let revision: ClosedRange<Int64> = 1...(1 << 53 - 1)
  package static let hubs = 256
  package static let profiles = 256
  /// Of one profile and one kind.
  package static let proposals = 16
  /// Five seconds, below which rekeying is all that charon would do, up to a week.
  package static let rekey: ClosedRange<Int64> = 5...604_800
  package static let deadPeerDetection: ClosedRange<Int64> = 1...3_600
  package static let tunnels = 1024
  package static let paths = 1024
  package static let probes = 4096
  package static let egresses = 256
  package static let rules = 256
  package static let interfacesOfRule = 64
  package static let pathsOfEgress = 64
  /// Of a path in a balanced tier.
  package static let weight: ClosedRange<Int64> = 1...256
  /// In the whole document, and so in one list as well.
  package static let prefixes = 100_000
  /// Bytes of an inner packet: what every IPv4 host must take (RFC 791) up to a jumbo frame.
  package static let mtu: ClosedRange<Int64> = 576...9000
  package static let probeInterval: ClosedRange<Int64> = 50...3_600_000
  package static let probeTimeout: ClosedRange<Int64> = 10...3_600_000
  package static let probeCount: ClosedRange<Int64> = 1...100
  /// Ten minutes, which nobody waits for.
  package static let probePatience: ClosedRange<Int64> = 0...600_000
  /// A day.
  package static let holdDown: ClosedRange<Int64> = 0...86_400_000
  /// A week; 0: no limit.
  package static let drainLimit: ClosedRange<Int64> = 0...604_800
  /// 0 switches it off.
  package static let flapHalfLife: ClosedRange<Int64> = 0...86_400
  /// `bh-` and the name make a device's name, and that has 15 characters.
  package static let tunnelName = 12
}
