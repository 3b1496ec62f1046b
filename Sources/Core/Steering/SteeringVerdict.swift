package import RuleSets

/// Which steering rule decides about a packet, and why no earlier one does. This is the plain list, looked through one by
/// one: what rules mean. Whatever is faster must say the same.
package struct SteeringVerdict: Equatable, Sendable {
  /// A rule that does not take the packet.
  package struct Passed: Equatable, Sendable {
    package enum Reason: Equatable, Sendable {
      case disabled
      /// The fields that do not match; never empty.
      case misses([SteeringField])
    }

    package var rule: SteeringRule
    package var reason: Reason
  }

  /// Nil: none takes the packet, and it is the backhaul rules' affair.
  package var rule: SteeringRule?
  /// Those before it, in order; all of them where none takes the packet.
  package var passed: [Passed]

  package init(of rules: [SteeringRule], for packet: SteeredPacket) {
    rule = nil
    passed = []
    for candidate in rules {
      guard candidate.enabled else {
        passed.append(Passed(rule: candidate, reason: .disabled))
        continue
      }
      let misses = candidate.match.misses(packet)
      if misses.isEmpty {
        rule = candidate
        return
      }
      passed.append(Passed(rule: candidate, reason: .misses(misses)))
    }
  }

  /// The same rule, without reasons.
  package static func rule(of rules: [SteeringRule], for packet: SteeredPacket) -> SteeringRule? {
    rules.first { $0.enabled && $0.match.takes(packet) }
  }
}

extension SteeringVerdict.Passed {
  /// As `explain` tells it: `rule calls does not take it: its protocol is tcp, not udp`. The first field that does not
  /// match says enough.
  package func words(for packet: SteeredPacket) -> String {
    switch reason {
    case .disabled: return "rule \(rule.name) is disabled"
    case .misses(let fields):
      let why = fields.first.map { rule.match.words(for: $0, missing: packet) } ?? "nothing of it matches"
      return "rule \(rule.name) does not take it: \(why)"
    }
  }
}
