internal import Core
internal import RuleSets

/// An address that is pinged over an uplink, to find out what is at fault when a path is down.
package struct ScoutReport: Codable, Equatable, Sendable {
  package var address: String
  /// `gateway`, `hub`, `target`: why it is pinged.
  package var roles: [String]
  /// `answers`, `silent`, or `unknown`: it has never answered or cannot be asked.
  package var answer: String
  package var rttMs: Double?
  package var lastAnswerSeconds: Double?
}

extension ScoutReport {
  init(_ scout: Scout, at now: Instant) {
    address = scout.address.description
    roles = scout.roles.sorted().map(\.rawValue)
    answer = scout.answer.rawValue
    rttMs = scout.machine.window.roundTrip?.last.milliseconds
    lastAnswerSeconds = scout.machine.lastAnswer.map { max(0, (now - $0).inSeconds) }
  }
}
