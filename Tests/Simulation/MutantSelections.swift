import Core
internal import RuleSets

/// A mutant of the choice of a rule.
private protocol MutantSelection: SelectionUnderTest {
  var inner: RuleSelection { get set }
  init(inner: RuleSelection)
  /// What the machine is told of the rule.
  static func twisted(_ rule: BackhaulRule) -> BackhaulRule
}

extension MutantSelection {
  init(_ rule: BackhaulRule, adopted: RuleSelection.Choice?, remembered: RuleSelection.Choice?, at now: Instant) {
    self.init(inner: RuleSelection(Self.twisted(rule), adopted: adopted, at: now))
  }
  static func twisted(_ rule: BackhaulRule) -> BackhaulRule { rule }
  mutating func ruleChanged(to new: BackhaulRule) { inner.ruleChanged(to: Self.twisted(new)) }
  mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move? { inner.move(view, at: now) }
  var choice: RuleSelection.Choice? { inner.choice }
  var nextDeadline: Instant? { inner.nextDeadline }
}

extension RuleSelection.View {
  /// The same, but for the states of paths.
  fileprivate func with(_ change: @escaping (Name, PathHealth) -> PathHealth) -> RuleSelection.View {
    let state = state
    var view = self
    view.state = { name in state(name).map { change(name, $0) } }
    return view
  }
}

/// It returns as soon as the better path is up.
struct IgnoresHoldDown: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection
    static func twisted(_ rule: BackhaulRule) -> BackhaulRule {
      var rule = rule
      rule.egress.holdDown = .zero
      return rule
    }
  }
}

/// It returns to a path that comes and goes as often as that comes.
struct IgnoresDamping: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection
    static func twisted(_ rule: BackhaulRule) -> BackhaulRule {
      var rule = rule
      rule.egress.damping = FlapDamping(halfLife: .zero)
      return rule
    }
  }
}

/// Under `block` it falls back to an uplink.
struct FallsBackUnderBlock: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection
    static func twisted(_ rule: BackhaulRule) -> BackhaulRule {
      var rule = rule
      if rule.fallback == .block { rule.egress.fallback = .localWAN }
      return rule
    }
  }
}

/// It prefers the last path.
struct PrefersTheWorst: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection
    static func twisted(_ rule: BackhaulRule) -> BackhaulRule {
      var rule = rule
      rule.egress.paths.reverse()
      return rule
    }
  }
}

/// Once it has left a path it sees no better one.
struct NeverReturns: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection

    mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move? {
      let paths = inner.rule.paths
      let current =
        if case .path(let name)? = choice { paths.firstIndex(of: name) ?? 0 } else { choice == nil ? 0 : paths.count }
      return inner.move(
        view.with { name, health in
          (paths.firstIndex(of: name) ?? paths.count) < current && health.state == .up ? PathHealth(at: now) : health
        }, at: now)
    }
  }
}

/// It tells nobody when it wants to be asked again.
struct ForgetsToAskAgain: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection
    var nextDeadline: Instant? { nil }
  }
}

/// It stays on a path that is down.
struct StaysOnTheDead: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection

    mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move? {
      let current = choice
      return inner.move(
        view.with { name, health in current == .path(name) && health.state == .down ? PathHealth(at: now) : health },
        at: now)
    }
  }
}

/// It leaves a path of which nothing is known.
struct LeavesTheUnknown: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection

    mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move? {
      var dead = PathHealth(at: now)
      _ = dead.judge(obstacle: "not known", probes: [], at: now)
      return inner.move(view.with { _, health in health.state == .unknown ? dead : health }, at: now)
    }
  }
}

/// Now and then it takes another path, for a change.
struct Wanders: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection
    private var asked = 0

    init(inner: RuleSelection) { self.inner = inner }

    mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move? {
      asked += 1
      let other = inner.rule.paths.last { view.state($0)?.state == .up && choice != .path($0) }
      guard asked % 7 == 0, case .path? = choice, let other else { return inner.move(view, at: now) }
      let move = Move(kind: .failover, from: choice, to: .path(other), cause: "for a change")
      inner = RuleSelection(inner.rule, adopted: .path(other), at: now)
      return move
    }
  }
}

/// It gives no reasons.
struct GivesNoReason: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection

    mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move? {
      inner.move(view, at: now).map { Move(kind: $0.kind, from: $0.from, to: $0.to, cause: "") }
    }
  }
}

/// After a restart it believes its memory, not the kernel.
struct BelievesItsMemory: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection

    init(inner: RuleSelection) { self.inner = inner }
    init(_ rule: BackhaulRule, adopted: RuleSelection.Choice?, remembered: RuleSelection.Choice?, at now: Instant) {
      inner = RuleSelection(rule, adopted: remembered ?? adopted, at: now)
    }
  }
}

/// After a restart it takes nothing over.
struct TakesNothingOver: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection

    init(inner: RuleSelection) { self.inner = inner }
    init(_ rule: BackhaulRule, adopted: RuleSelection.Choice?, remembered: RuleSelection.Choice?, at now: Instant) {
      inner = RuleSelection(rule, adopted: nil, at: now)
    }
  }
}

/// It keeps a path that the rule set took away, also where that is an uplink: as it was until a simulation found it.
struct KeepsAnUplink: Machines {
  struct Choosing: MutantSelection {
    var inner: RuleSelection

    mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move? {
      var view = view
      view.isAstray = false
      return inner.move(view, at: now)
    }
  }
}
