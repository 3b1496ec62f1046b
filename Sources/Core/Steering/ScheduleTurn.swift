package import RuleSets

/// What the clock has changed among the steering rules in force.
package struct ScheduleTurn: Equatable, Sendable {
  /// Hold from now on, or do something else than before.
  package var begun: [Name]
  /// No longer hold.
  package var ended: [Name]

  /// Nil: the rules are the same.
  package init?(from old: [SteeringRule], to new: [SteeringRule]) {
    guard old != new else { return nil }
    let before = Dictionary(old.map { ($0.name, $0.action) }, uniquingKeysWith: { first, _ in first })
    let after = Set(new.map(\.name))
    begun = new.filter { before[$0.name] != $0.action }.map(\.name)
    ended = old.map(\.name).filter { !after.contains($0) }
  }

  /// `guests-at-night holds from now on; calls no longer holds`.
  package var words: String {
    let begins = Self.list(begun).map { "\($0) \(begun.count == 1 ? "holds" : "hold") from now on" }
    let ends = Self.list(ended).map { "\($0) no longer \(ended.count == 1 ? "holds" : "hold")" }
    return [begins, ends].compactMap { $0 }.joined(separator: "; ")
  }

  /// More names than that nobody reads.
  private static let told = 6

  /// Nil for none.
  private static func list(_ names: [Name]) -> String? {
    guard !names.isEmpty else { return nil }
    let more = names.count > told ? " and \(names.count - told) more" : ""
    return names.prefix(told).map(\.text).joined(separator: ", ") + more
  }
}
