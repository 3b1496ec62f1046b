import Core
internal import RuleSets

/// A mutant of the health of a path.
private protocol MutantHealth: HealthUnderTest {
  var inner: PathHealth { get set }
  init(inner: PathHealth)
}

extension MutantHealth {
  init(at now: Instant) { self.init(inner: PathHealth(at: now)) }
  var shown: PathHealth { inner }
}

/// What is not known is down.
struct UnknownIsDown: Machines {
  struct Judging: MutantHealth {
    var inner: PathHealth

    mutating func weigh(
      obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant
    ) -> Bool {
      let isUnknown = probes.contains { $0.state == .unknown && $0.unsent > 0 }
      return inner.weigh(obstacle: isUnknown ? obstacle ?? "not known" : obstacle, probes, path, at: now)
    }
  }
}

/// The second probe of a path is not looked at.
struct IgnoresTheSecondProbe: Machines {
  struct Judging: MutantHealth {
    var inner: PathHealth

    mutating func weigh(
      obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant
    ) -> Bool {
      inner.weigh(obstacle: obstacle, Array(probes.prefix(1)), path, at: now)
    }
  }
}

/// All probes must be answered, whatever the quorum.
struct IgnoresTheQuorum: Machines {
  struct Judging: MutantHealth {
    var inner: PathHealth

    mutating func weigh(
      obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant
    ) -> Bool {
      inner.judge(obstacle: obstacle, probes: probes, limits: path.limits, at: now)
    }
  }
}

/// However bad it is, what is not down is up.
struct IgnoresLimits: Machines {
  struct Judging: MutantHealth {
    var inner: PathHealth

    mutating func weigh(
      obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant
    ) -> Bool {
      inner.judge(obstacle: obstacle, probes: probes, quorum: path.quorum, at: now)
    }
  }
}

/// Only probes count, not the device.
struct IgnoresTheDevice: Machines {
  struct Judging: MutantHealth {
    var inner: PathHealth

    mutating func weigh(
      obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant
    ) -> Bool {
      inner.weigh(obstacle: nil, probes, path, at: now)
    }
  }
}

/// It tells of the first time that the path came up as if it had been up ever since.
struct ForgetsTheLastFall: Machines {
  struct Judging: MutantHealth {
    var inner: PathHealth
    private var firstUp: PathHealth?

    init(inner: PathHealth) { self.inner = inner }

    var shown: PathHealth { inner.state == .up ? firstUp ?? inner : inner }

    mutating func weigh(
      obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant
    ) -> Bool {
      let changed = inner.weigh(obstacle: obstacle, probes, path, at: now)
      if inner.state == .up && firstUp == nil { firstUp = inner }
      return changed
    }
  }
}
