import Core
internal import RuleSets

/// A mutant of the probe machine: the machine, and what is done to it from without.
private protocol MutantProbe: ProbeUnderTest {
  var inner: ProbeMachine { get set }
  init(inner: ProbeMachine)
}

extension MutantProbe {
  init(_ probe: Probe, at now: Instant, phase: Duration) {
    self.init(inner: ProbeMachine(probe, at: now, phase: phase))
  }
  var nextDeadline: Instant { inner.nextDeadline }
  var state: ProbeMachine.State { inner.state }
  var unsent: Int { inner.unsent }
  var shown: ProbeMachine { inner }
  mutating func timePassed(to now: Instant) -> [ProbeMachine.Directive] { inner.timePassed(to: now) }
  mutating func prompted(at now: Instant) { inner.prompted(at: now) }
  mutating func socketChanged() { inner.socketChanged() }
  mutating func came(_ evidence: ProbeMachine.Evidence, of number: UInt64, at now: Instant) -> [ProbeMachine.Directive]
  {
    inner.came(evidence, of: number, at: now)
  }
}

extension ProbeMachine {
  /// One that is down, as far as a health can see.
  static func dead(_ probe: Probe, at now: Instant) -> ProbeMachine {
    var probe = probe
    probe.fall = 1
    var machine = ProbeMachine(probe, at: now, phase: .zero)
    for case .send(let number) in machine.timePassed(to: now) {
      _ = machine.came(.refused("mutant"), of: number, at: now)
    }
    return machine
  }
}

/// What could not be sent counts as lost.
struct UnsentIsLost: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine

    mutating func came(
      _ evidence: ProbeMachine.Evidence, of number: UInt64, at now: Instant
    ) -> [ProbeMachine.Directive] {
      if case .couldNotSend(let why) = evidence { return inner.came(.refused(why), of: number, at: now) }
      return inner.came(evidence, of: number, at: now)
    }
  }
}

/// An answer does not end a row of losses.
struct ForgetsToResetLost: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine
    private var lost = 0
    private var dead: ProbeMachine?

    init(inner: ProbeMachine) { self.inner = inner }

    var state: ProbeMachine.State { shown.state }
    var shown: ProbeMachine { dead ?? inner }

    mutating func timePassed(to now: Instant) -> [ProbeMachine.Directive] {
      count(at: now) { $0.timePassed(to: now) }
    }

    mutating func came(
      _ evidence: ProbeMachine.Evidence, of number: UInt64, at now: Instant
    ) -> [ProbeMachine.Directive] {
      count(at: now) { $0.came(evidence, of: number, at: now) }
    }

    private mutating func count(
      at now: Instant, _ body: (inout ProbeMachine) -> [ProbeMachine.Directive]
    ) -> [ProbeMachine.Directive] {
      let before = inner.lost
      let directives = body(&inner)
      lost += max(0, inner.lost - before)
      if lost >= inner.probe.fall && dead == nil { dead = .dead(inner.probe, at: now) }
      if dead != nil && inner.answered >= inner.probe.rise { (lost, dead) = (0, nil) }
      return directives
    }
  }
}

/// It waits for each answer for ever.
struct NeverGivesUp: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine

    init(inner: ProbeMachine) { self.inner = inner }
    init(_ probe: Probe, at now: Instant, phase: Duration) {
      var probe = probe
      probe.timeout = .seconds(86_400)
      inner = ProbeMachine(probe, at: now, phase: phase)
    }
  }
}

/// One loss is enough, whatever `fall` says.
struct OneLossIsEnough: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine

    init(inner: ProbeMachine) { self.inner = inner }
    init(_ probe: Probe, at now: Instant, phase: Duration) {
      var probe = probe
      probe.fall = 1
      inner = ProbeMachine(probe, at: now, phase: phase)
    }
  }
}

/// However long a silence shall be borne, it is not.
struct IgnoresPatience: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine

    init(inner: ProbeMachine) { self.inner = inner }
    init(_ probe: Probe, at now: Instant, phase: Duration) {
      var probe = probe
      probe.patience = .zero
      inner = ProbeMachine(probe, at: now, phase: phase)
    }
  }
}

/// One answer is enough to be back, whatever `rise` says.
struct OneAnswerIsEnough: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine

    init(inner: ProbeMachine) { self.inner = inner }
    init(_ probe: Probe, at now: Instant, phase: Duration) {
      var probe = probe
      probe.rise = 1
      inner = ProbeMachine(probe, at: now, phase: phase)
    }
  }
}

/// After a sleep it makes up for what it missed.
struct MakesUpForSleep: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine

    mutating func timePassed(to now: Instant) -> [ProbeMachine.Directive] {
      var directives: [ProbeMachine.Directive] = []
      for _ in 0..<1_000 where inner.nextDeadline < now { directives += inner.timePassed(to: inner.nextDeadline) }
      return directives + inner.timePassed(to: now)
    }
  }
}

/// What a closed socket had sent counts as lost: as it was until a simulation found it.
struct ClosedSocketLoses: Machines {
  struct Probing: MutantProbe {
    var inner: ProbeMachine
    mutating func socketChanged() {}
  }
}
