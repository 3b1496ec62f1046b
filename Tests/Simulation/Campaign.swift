import Core

/// Many simulations, one after another, each from a seed of its own that follows from the campaign's.
package struct Campaign {
  /// Faults in one simulation: few enough to replay in a moment, and enough for everything to meet everything.
  package static let faultsEach = 500

  package let seed: UInt64
  package let subject: Subject
  package private(set) var tally = Tally()
  /// The first that failed.
  package private(set) var failure: (seed: UInt64, violation: Violation)?

  package init(seed: UInt64, subject: Subject = .machines) {
    self.seed = seed
    self.subject = subject
  }

  package static func seed(_ number: Int, of campaign: UInt64) -> UInt64 {
    var dice = Dice(seed: campaign &+ UInt64(number) &* 0xd134_2543_de82_ef95)
    return dice.next()
  }

  /// Continues until this many faults were made, or an invariant fails.
  package mutating func run(faults: Int) {
    var number = 0
    while tally.faultCount < faults, failure == nil {
      let seed = Self.seed(number, of: self.seed)
      let world = subject.world(seed: seed)
      world.live()
      tally.add(world.tally)
      if let violation = world.violation { failure = (seed, violation) }
      number += 1
    }
  }

  /// The last lines of a simulation that failed, or of one that did not.
  package static func replay(_ seed: UInt64, _ subject: Subject, lines: Int = 60, probes: Bool = false) -> (
    Violation?, [String], Tally
  ) {
    let trace = Trace(capacity: lines, showsProbes: probes)
    let world = subject.world(seed: seed, trace: trace)
    world.live()
    return (world.violation, trace.lines, world.tally)
  }
}

/// What is tried.
package struct Subject: Sendable {
  package let name: String
  let weights: [Fault.Weight]
  let pilot: @Sendable (World) -> any Pilot

  init(name: String, weights: [Fault.Weight] = Fault.weights, pilot: @escaping @Sendable (World) -> any Pilot) {
    self.name = name
    self.weights = weights
    self.pilot = pilot
  }

  func world(seed: UInt64, trace: Trace? = nil) -> World {
    World(seed: seed, faults: Campaign.faultsEach, weights: weights, trace: trace, pilot: pilot)
  }

  /// The watch's machine, with as little around it as possible.
  package static let machines = Subject(name: "machines") { MachinePilot($0) }
  /// What is tested under this name; mutants have their own.
  package static func named(_ name: String) -> Subject? {
    ([machines, watch] + Mutant.all.flatMap { [$0.subject, $0.honest] }).first { $0.name == name }
  }

  /// The agent's watch over paths, which drives them on a router.
  package static let watch = Subject(name: "watch") { WatchPilot($0) }
}
