internal import Core
internal import RuleSets
internal import System

/// What schedules say now on this router, for commands that do without an agent.
enum ScheduleNow {
  /// The steering rules that hold now, as the agent would have them; nil: no enabled rule has a schedule. A time zone that
  /// cannot be read is a warning.
  static func steering(of ruleSet: RuleSet) -> [SteeringRule]? {
    guard ScheduleClock.matters(to: ruleSet.steeringRules) else { return nil }
    let zone = zone()
    warn(of: zone)
    return ScheduleClock((try? zone.get())?.rules ?? .utc).inForce(ruleSet, at: WallClock.now)
  }

  /// Warns where rules have a schedule and nothing says by which time zone.
  static func warnOfTimeZone(_ ruleSet: RuleSet) {
    if ScheduleClock.matters(to: ruleSet.steeringRules) { warn(of: zone()) }
  }

  private static func zone() -> Result<RouterTimeZone, Examination.Unseen> {
    do { return .success(try LinuxTimeZone().timeZone()) } catch { return .failure(.init("\(error)")) }
  }

  private static func warn(of zone: Result<RouterTimeZone, Examination.Unseen>) {
    guard let doubt = ZoneDoubt(zone) else { return }
    printError("backhaul: warning: steering rules with a schedule follow UTC: \(doubt.words)")
  }
}
