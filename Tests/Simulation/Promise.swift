import Core
internal import RuleSets

/// What the machines promise about a probe, in numbers: the invariants ask for no more, and know no others.
enum Promise {
  /// Two fifths of an interval, 150 ms at most: see `ProbeMachine.Limits`.
  /// A path that answers no slower than this, or than it did the last time, is never left.
  static func promptAnswer(_ probe: Probe) -> Duration {
    min(probe.interval * 2 / 5, .milliseconds(150), probe.timeout)
  }

  /// A path that does not answer is left within this time. The last answer may have come just before the next probe leaves;
  /// `fall` probes go unanswered, each an interval after the one before, and until the patience is over; and the last of
  /// them has its whole timeout.
  static func bound(_ probe: Probe) -> Nanoseconds {
    let row = max(probe.interval * (probe.fall - 1), probe.patienceInForce + probe.interval)
    return (probe.interval + row + probe.timeout).nanoseconds
  }

  /// The number of probes that confirm a first failure: at least one if there is patience to outlast, and no more than
  /// fit into an interval.
  static func probesInARehearsal(_ probe: Probe) -> Int {
    min(max(probe.fall - 1, probe.patienceInForce > .zero ? 1 : 0), 10)
  }

  /// A machine that slept for hours does not send for hours; and a suspicion is confirmed by probes that follow one another
  /// in a tenth of an interval, 25 ms at most. Twelve more: prompts, of which there are five to an interval, what is due
  /// anyway, and a rehearsal of four.
  static func probesInAnInterval(_ probe: Probe) -> Int {
    Int(probe.interval.nanoseconds / min(probe.interval / 10, .milliseconds(25)).nanoseconds) + 12
  }
}
