internal import RuleSets

/// What happens to the devices' traffic while nobody knows which rules are strict.
package struct GuardConfiguration: Equatable, Sendable {
  /// What to do where a rule set was accepted once and can no longer be read.
  package enum Doubt: String, CaseIterable, Equatable, Sendable {
    /// Nothing that the router forwards leaves by an uplink until a rule set is there.
    case hold
    /// Traffic goes as the main table says, as on a router that never had a rule set.
    case open
  }

  package var whenInDoubt: Doubt

  package init(whenInDoubt: Doubt = .hold) { self.whenInDoubt = whenInDoubt }
}

/// The `[guard]` table of the local configuration.
enum GuardConfigurationReader {
  static func read(_ top: FieldReader) -> GuardConfiguration? {
    let standard = GuardConfiguration()
    guard let value = top["guard"] else { return standard }
    guard let fields = FieldReader(value, at: "guard", keys: ["when_in_doubt"], book: top.book) else { return nil }
    let doubt: GuardConfiguration.Doubt? = fields.value("when_in_doubt", .choice(), default: standard.whenInDoubt)
    return doubt.map { GuardConfiguration(whenInDoubt: $0) }
  }
}
