internal import Core
internal import RuleSets

/// Which steering rules hold now, by the router's clock and time zone, and when to ask again. Says once what keeps the time
/// from being known, and once that it is known again.
struct RouterClock {
  private let port: any TimeZonePort
  private let time: any Surroundings
  private let events: any EventSink
  /// As last read, and when; nil: never.
  private var zone: (rules: ZoneRules, readAt: Instant)?
  private var toldZone: StoreFailure?
  private var isToldUnset = false

  init(_ port: any TimeZonePort, _ time: any Surroundings, telling events: any EventSink) {
    self.port = port
    self.time = time
    self.events = events
  }

  /// The rules that hold now, in order; nil: no enabled rule has a schedule, so the time does not matter and the router is
  /// not asked for its zone.
  ///
  /// - Parameter rereading: whether to read the time zone again although that was done within `longestWait`.
  mutating func inForce(_ ruleSet: RuleSet, rereading: Bool = false) -> [SteeringRule]? {
    guard ScheduleClock.matters(to: ruleSet.steeringRules) else {
      // Whoever needs the time next reads the zone anew.
      self = RouterClock(port, time, telling: events)
      return nil
    }
    let now = time.wallTime
    let clock = clock(rereading: rereading)
    noteClock(now)
    return clock.inForce(ruleSet, at: now)
  }

  /// When to ask again, however often that is done before: `inForce` has the same answer until then, if nobody sets the
  /// clock or the zone. Nil: never.
  func wait(_ ruleSet: RuleSet) -> Duration? {
    let clock = ScheduleClock(zone?.rules ?? .utc)
    guard let wait = clock.wait(ruleSet.steeringRules, at: time.wallTime) else { return nil }
    return min(wait, max(.zero, zone.map { $0.readAt + ScheduleClock.longestWait - time.now } ?? .zero))
  }

  private mutating func clock(rereading: Bool) -> ScheduleClock {
    if let zone, !rereading, time.now < zone.readAt + ScheduleClock.longestWait { return ScheduleClock(zone.rules) }
    let found: ZoneRules
    do throws(StoreFailure) {
      found = try port.timeZone().rules
      if toldZone != nil {
        events.record(AgentEvent(.timeKnown, "time zone", "the router's time zone can be read again"))
      }
      toldZone = nil
    } catch {
      found = .utc
      if toldZone != error {
        events.record(
          AgentEvent(
            .timeUnknown, "time zone", "steering rules with a schedule follow UTC until this is mended: \(error)"))
      }
      toldZone = error
    }
    zone = (found, time.now)
    return ScheduleClock(found)
  }

  private mutating func noteClock(_ now: WallTime) {
    let isUnset = !ScheduleClock.isCredible(now)
    defer { isToldUnset = isUnset }
    guard isUnset != isToldUnset else { return }
    events.record(
      isUnset
        ? AgentEvent(
          .timeUnknown, "clock",
          "the clock has not been set, it shows \(now.text): until it is, steering rules with a schedule hold if they drop "
            + "or are strict, and do not hold otherwise")
        : AgentEvent(.timeKnown, "clock", "the clock has been set; steering rules follow their schedules"))
  }
}
