package import Core

/// What a simulation has met, to show that it was not too easy.
package struct Tally: Sendable {
  package var events = 0
  package var probes = 0
  package var lost = 0
  package var faults: [Fault: Int] = [:]
  package var verdicts: [PathHealth.State: Int] = [:]
  package var flips: [String: Int] = [:]
  package var settlements = 0
  /// A hash of all flips and verdicts in order: the same for the same seed, on every machine.
  package var digest: UInt64 = 0xcbf2_9ce4_8422_2325

  package var faultCount: Int { faults.values.reduce(0, +) }
  package var flipCount: Int { flips.values.reduce(0, +) }

  package var lines: [String] {
    [
      "\(events) events, \(probes) probes, \(lost) of them lost; \(settlements) times to the calm after",
      "verdicts: \(verdicts.map { "\($0.value) \($0.key)" }.sorted().joined(separator: ", "))",
      "flips: \(flipCount): \(flips.map { "\($0.value) \($0.key)" }.sorted().joined(separator: ", "))",
      "faults: \(faults.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }.joined(separator: ", "))",
      "digest \(String(digest, radix: 16))",
    ]
  }

  /// Something never came up although it should have, so nothing is proved.
  package var untried: [String] {
    Fault.allCases.filter { faults[$0] == nil }.map(\.rawValue)
      + [PathHealth.State.up, .down, .unknown].filter { verdicts[$0] == nil }.map(\.rawValue)
      + [RuleSelection.Flip.Kind.initial, .failover, .failback, .changed].map(\.rawValue).filter { flips[$0] == nil }
  }

  mutating func moved(_ move: Move) {
    flips[move.kind.rawValue, default: 0] += 1
    for byte in move.to.description.utf8 { mix(UInt64(byte)) }
  }

  mutating func mix(_ value: UInt64) { digest = (digest ^ value) &* 0x100_0000_01b3 }

  mutating func add(_ other: Tally) {
    events += other.events
    probes += other.probes
    lost += other.lost
    settlements += other.settlements
    faults.merge(other.faults, uniquingKeysWith: +)
    verdicts.merge(other.verdicts, uniquingKeysWith: +)
    flips.merge(other.flips, uniquingKeysWith: +)
    mix(other.digest)
  }
}
