internal import RuleSets

/// What a packet is known by before maps are asked: the LAN that it came in by, and its code point, where rules look at them.
/// Each context has a program of its own, of those rules that may take such packets.
struct SteeringContext: Hashable, Sendable {
  /// Nil: a LAN that no rule names, or no rule names any.
  var lan: InterfaceName?
  /// Nil: one that no rule names.
  var dscp: DSCP?

  /// Those that the rules tell apart, in order; each LAN's without a code point comes first.
  static func all(_ rules: [SteeringRule]) -> [SteeringContext] {
    let lans = Set(rules.flatMap(\.match.lans)).sorted()
    let codes = Set(rules.flatMap(\.match.dscp)).sorted()
    return ([nil] + lans.map { $0 }).flatMap { lan in
      ([nil] + codes.map { $0 }).map { SteeringContext(lan: lan, dscp: $0) }
    }
  }

  func rules(of rules: [SteeringRule]) -> [SteeringRule] {
    rules.filter { rule in
      (rule.match.lans.isEmpty || lan.map(rule.match.lans.contains) == true)
        && (rule.match.dscp.isEmpty || dscp.map(rule.match.dscp.contains) == true)
    }
  }
}

/// The programs of all contexts.
struct SteeringPrograms: Equatable, Sendable {
  private(set) var all: [(context: SteeringContext, program: SteeringProgram)] = []

  init(_ rules: [SteeringRule]) {
    guard !rules.isEmpty else { return }
    all = SteeringContext.all(rules).map { ($0, SteeringProgram($0.rules(of: rules))) }
  }

  static func == (left: Self, right: Self) -> Bool { left.all.elementsEqual(right.all) { $0 == $1 } }

  /// Boxes in all maps together.
  var boxes: Int {
    all.reduce(0) { sum, one in
      sum + one.program.pieces.flatMap(\.rules).reduce(0) { $0 + SteeringProgram.boxes(of: $1.match) }
    }
  }
}
