internal import RuleSets
import Testing

@testable import Core

/// Every fact in every state: the table of `ProbeMachine.state(after:)`, seen from outside.
@Suite struct ProbeMachineTableTests {
  enum Fact: String, CaseIterable, CustomStringConvertible {
    case oneAnswer, asManyAnswersAsRise, oneLoss, asManyLossesAsFall, asManyLossesWithinPatience, oneUnsent
    case asManyUnsentAsFall, begun, prompted, socketChanged
    var description: String { rawValue }
  }

  private static let (fall, rise) = (3, 4)

  /// From unknown, up and down.
  private static let table: [(Fact, [ProbeMachine.State])] = [
    // The first answer ever is enough.
    (.oneAnswer, [.up, .up, .down]),
    (.asManyAnswersAsRise, [.up, .up, .up]),
    (.oneLoss, [.unknown, .up, .down]),
    (.asManyLossesAsFall, [.down, .down, .down]),
    // A path that was never up gets no patience.
    (.asManyLossesWithinPatience, [.down, .up, .down]),
    (.oneUnsent, [.unknown, .up, .down]),
    (.asManyUnsentAsFall, [.unknown, .unknown, .unknown]),
    (.begun, [.unknown, .up, .unknown]),
    (.prompted, [.unknown, .up, .down]),
    (.socketChanged, [.unknown, .up, .down]),
  ]

  /// A machine, and the time that it has reached.
  private struct Trial {
    var machine: ProbeMachine
    var now = Instant(nanoseconds: 0)

    init(patience: Duration) throws {
      let name = try #require(Name("ping"))
      let probe = Probe(
        name: name, path: name, kind: .icmp(target: IPv4Address(value: 1)), interval: .milliseconds(100),
        timeout: .milliseconds(80), fall: fall, patience: patience, rise: rise)
      machine = ProbeMachine(probe, at: now, phase: .zero)
    }

    /// Gives every probe this outcome until this many more have counted.
    mutating func give(_ outcome: ProbeOutcome, _ count: Int, more counted: (ProbeMachine) -> Int) {
      let wanted = counted(machine) + count
      for _ in 0..<200 where counted(machine) < wanted {
        now = max(now, machine.nextDeadline)
        for case .send(let number) in machine.timePassed(to: now) where counted(machine) < wanted {
          _ = machine.came(outcome, of: number, at: now)
        }
      }
    }

    mutating func answer(_ count: Int) { give(.answered(roundTrip: .milliseconds(1)), count, more: \.answered) }
    mutating func lose(_ count: Int) { give(.refused("host unreachable"), count, more: \.lost) }
    mutating func holdBack(_ count: Int) { give(.couldNotSend("no buffer space"), count, more: \.unsent) }

    mutating func reach(_ state: ProbeMachine.State) {
      switch state {
      case .unknown: break
      // Until the rehearsals are over.
      case .up: answer(30)
      case .down: lose(fall)
      }
    }

    mutating func tell(_ fact: Fact) {
      switch fact {
      case .oneAnswer: answer(1)
      case .asManyAnswersAsRise: answer(rise)
      case .oneLoss: lose(1)
      case .asManyLossesAsFall, .asManyLossesWithinPatience: lose(fall)
      case .oneUnsent: holdBack(1)
      case .asManyUnsentAsFall: holdBack(fall)
      case .begun: machine.begun(at: now)
      case .prompted: machine.prompted(at: now)
      case .socketChanged: machine.socketChanged()
      }
    }
  }

  @Test("every fact in every state", arguments: Fact.allCases)
  func everyFactInEveryState(_ fact: Fact) throws {
    let expected = try #require(Self.table.first { $0.0 == fact }?.1, "\(fact) is not in the table")
    for (state, result) in zip([ProbeMachine.State.unknown, .up, .down], expected) {
      var trial = try Trial(patience: fact == .asManyLossesWithinPatience ? .seconds(60) : .zero)
      trial.reach(state)
      #expect(trial.machine.state == state)
      trial.tell(fact)
      #expect(trial.machine.state == result, "\(fact) in \(state)")
    }
  }
}
