internal import RuleSets

/// What steering rules with a schedule need of the router: a clock that has been set, and a time zone.
extension Doctor {
  mutating func checkSchedules() {
    guard let ruleSet = (try? seen.ruleSet.get()) ?? nil, ScheduleClock.matters(to: ruleSet.steeringRules) else {
      return
    }
    if !ScheduleClock.isCredible(seen.now) {
      find(
        .error, .clock,
        "the clock has not been set: steering rules with a schedule hold if they drop or are strict, and do not hold "
          + "otherwise", evidence: "it shows \(seen.now.text)", fix: "timedatectl set-ntp true, or chronyc tracking")
    }
    if let doubt = ZoneDoubt(seen.timeZone) {
      find(
        .warning, .clock, "steering rules with a schedule follow UTC", evidence: doubt.words, fix: ZoneDoubt.fix)
    }
  }
}

/// Why schedules follow UTC, although nobody has said that they should.
package struct ZoneDoubt: Equatable, Sendable {
  package var words: String

  /// What a person does about it. To say that the zone is UTC is enough.
  package static let fix =
    "timedatectl set-timezone ZONE, or a link from /etc/localtime into /usr/share/zoneinfo; on OpenWrt set "
    + "system.@system[0].timezone"

  /// Nil: a file says the zone.
  package init?(_ zone: Result<RouterTimeZone, Examination.Unseen>) {
    switch zone {
    case .success(let zone) where zone.file != nil: return nil
    case .success: words = "neither /etc/localtime nor /etc/TZ says the router's time zone"
    case .failure(let cause): words = "the router's time zone cannot be read: \(cause)"
    }
  }
}
