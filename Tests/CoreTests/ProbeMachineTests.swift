import Testing

@testable import Core

private func probe(interval: Int = 100, timeout: Int = 80, fall: Int = 3, rise: Int = 3) throws -> Probe {
  Probe(
    name: try #require(Name("ping")), path: try #require(Name("hub")),
    kind: .icmp(target: IPv4Address(value: 0x0a01_0102)), interval: .milliseconds(interval),
    timeout: .milliseconds(timeout), fall: fall, rise: rise)
}

private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds) * 1_000_000) }

@Suite struct ProbeMachineTests {
  @Test func theFirstAnswerIsEnough() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    #expect(machine.timePassed(to: at(0)) == [.send(1)])
    #expect(machine.state == .unknown)
    _ = machine.came(.answered(roundTrip: .milliseconds(7)), of: 1, at: at(7))
    #expect(machine.state == .up)
    #expect(machine.window.roundTrip?.last == .milliseconds(7))
  }

  /// Runs a machine whose probes all go unanswered, and returns when each was sent and when the verdict fell.
  private func silence(_ machine: inout ProbeMachine, from start: Instant) -> (sent: [Instant], down: Instant?) {
    var sent: [Instant] = []
    var now = start
    for _ in 0..<100 {
      now = max(now, machine.nextDeadline)
      for directive in machine.timePassed(to: now) { if case .send = directive { sent.append(now) } }
      if machine.state == .down { return (sent, now) }
    }
    return (sent, nil)
  }

  @Test func downAfterFallLossesAndNotBefore() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    let (sent, down) = silence(&machine, from: at(1))
    #expect(
      sent.prefix(3) == [at(100), at(140), at(180)], "confirmed after two fifths of the interval, not a whole one")
    #expect(down == at(260), "the third probe has had its whole timeout")
    #expect(machine.lost == 3)
  }

  @Test func withoutSuspicionNoProbeMoreIsSentThanTheIntervalSays() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    var sent = 0
    var now = at(0)
    while now < at(10_000) {
      now = machine.nextDeadline
      for directive in machine.timePassed(to: now) {
        guard case .send(let number) = directive else { continue }
        sent += 1
        _ = machine.came(.answered(roundTrip: .milliseconds(20)), of: number, at: now + .milliseconds(20))
      }
    }
    #expect(sent == 101)
  }

  @Test func aSlowPathIsNotSuspectedForBeingSlow() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    var now = at(0)
    var early = 0
    for _ in 0..<50 {
      let due = machine.nextDeadline
      early += due - now < .milliseconds(90) && now > at(1_000) ? 1 : 0
      now = due
      for directive in machine.timePassed(to: now) {
        guard case .send(let number) = directive else { continue }
        // The answer takes 60 ms, more than two fifths of the interval.
        let suspected = machine.nextDeadline < now + .milliseconds(60)
        if now > at(1_000) { #expect(!suspected, "60 ms is usual here") }
        _ = machine.came(.answered(roundTrip: .milliseconds(60)), of: number, at: now + .milliseconds(60))
      }
    }
    #expect(early == 0)
    #expect(machine.state == .up)
  }

  @Test func aLateAnswerWithinTheTimeoutEndsTheSuspicion() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    #expect(machine.timePassed(to: at(100)) == [.send(2)])
    #expect(machine.timePassed(to: at(140)) == [.send(3)])
    #expect(machine.came(.answered(roundTrip: .milliseconds(70)), of: 2, at: at(170)).isEmpty)
    #expect(machine.came(.answered(roundTrip: .milliseconds(31)), of: 3, at: at(171)).isEmpty)
    #expect(machine.lost == 0)
    #expect(machine.window.loss == 0)
    #expect(machine.nextDeadline == at(240))
  }

  @Test func anAnswerMakesOlderProbesUninteresting() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    _ = machine.timePassed(to: at(100))
    _ = machine.timePassed(to: at(140))
    #expect(machine.came(.answered(roundTrip: .milliseconds(1)), of: 3, at: at(141)) == [.abandon(2)])
    #expect(machine.lost == 0)
    #expect(machine.window.count == 3)
  }

  @Test func upAgainAfterRiseAnswers() throws {
    var machine = ProbeMachine(try probe(fall: 1, rise: 2), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.timePassed(to: at(80))
    #expect(machine.state == .down)
    _ = machine.timePassed(to: at(100))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 2, at: at(101))
    #expect(machine.state == .down)
    _ = machine.timePassed(to: at(200))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 3, at: at(201))
    #expect(machine.state == .up)
  }

  @Test func aLateAnswerIsIgnored() throws {
    var machine = ProbeMachine(try probe(fall: 1), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.timePassed(to: at(80))
    _ = machine.came(.answered(roundTrip: .milliseconds(90)), of: 1, at: at(90))
    #expect(machine.state == .down)
    #expect(machine.answered == 0)
  }

  @Test func whatCouldNotBeSentIsNoLoss() throws {
    var machine = ProbeMachine(try probe(fall: 2), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    for round in 1...5 {
      _ = machine.timePassed(to: at(round * 100))
      _ = machine.came(.couldNotSend("no buffer"), of: UInt64(round + 1), at: at(round * 100))
      #expect(machine.state != .down)
    }
    #expect(machine.state == .unknown)
    #expect(machine.window.loss == 0)
  }

  @Test func aSuspendedThreadDoesNotSendWhatItMissed() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    #expect(machine.timePassed(to: at(5_000)) == [.abandon(1), .send(2)])
    #expect(machine.lost == 1, "one probe was lost, not fifty")
    #expect(machine.nextDeadline == at(5_080))
  }

  // MARK: Prompts

  /// Up since 1 ms, next probe due at 100 ms.
  private func up() throws -> ProbeMachine {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    return machine
  }

  @Test func aPromptMakesTheNextProbeDue() throws {
    var machine = try up()
    machine.prompted(at: at(10))
    #expect(machine.nextDeadline == at(10))
    #expect(machine.state == .up, "the verdict is the probes'")
    #expect(machine.timePassed(to: at(10)) == [.send(2)])
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 2, at: at(11))
    #expect(machine.nextDeadline == at(110), "an interval after it, as ever")
  }

  @Test func promptsAreTakenAFifthOfTheIntervalApart() throws {
    var machine = try up()
    var sent = 0
    for now in 10..<90 {
      machine.prompted(at: at(now))
      for case .send(let number) in machine.timePassed(to: at(now)) {
        sent += 1
        _ = machine.came(.answered(roundTrip: .zero), of: number, at: at(now))
      }
    }
    #expect(sent == 4, "at 10, 30, 50 and 70 ms")
  }

  @Test func aPromptDelaysNoProbeThatIsDue() throws {
    var machine = try up()
    machine.prompted(at: at(150))
    #expect(machine.nextDeadline == at(100))
    machine = try up()
    machine.prompted(at: at(10))
    machine.prompted(at: at(5_000))
    #expect(machine.nextDeadline == at(10))
  }

  @Test func promptsMakeNoLossOfProbesThatAreOnTheirWay() throws {
    var machine = try up()
    machine.prompted(at: at(10))
    #expect(machine.timePassed(to: at(10)) == [.send(2)])
    machine.prompted(at: at(30))
    #expect(machine.timePassed(to: at(30)) == [.send(3)])
    #expect(machine.came(.answered(roundTrip: .milliseconds(50)), of: 2, at: at(60)).isEmpty)
    #expect(machine.lost == 0)
    #expect(machine.came(.answered(roundTrip: .milliseconds(50)), of: 3, at: at(80)).isEmpty)
    #expect(machine.window.loss == 0)
  }

  @Test func aDeadPathIsKnownSoonerByPromptsAndNotByFewerLosses() throws {
    var machine = try up()
    machine.prompted(at: at(10))
    let (sent, down) = silence(&machine, from: at(10))
    #expect(sent.first == at(10))
    #expect(machine.lost == 3)
    #expect(down == at(170), "10, 50 and 90 ms, and the last one's timeout")
  }

  @Test func timeoutAsLongAsTheIntervalLosesNone() throws {
    var machine = ProbeMachine(try probe(interval: 100, timeout: 100), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    #expect(machine.timePassed(to: at(100)) == [.abandon(1), .send(2)])
    #expect(machine.lost == 1)
  }
}

@Suite struct ProbeWindowTests {
  @Test func lossRoundTripAndJitter() {
    var window = ProbeWindow()
    #expect(window.loss == nil)
    for value in [10, 20, 10] { window.answered(roundTrip: .milliseconds(value)) }
    window.lost()
    #expect(window.loss == 0.25)
    #expect(window.roundTrip?.jitter == .milliseconds(10))
    #expect(window.roundTrip?.least == .milliseconds(10))
    #expect(window.roundTrip?.most == .milliseconds(20))
  }

  @Test func forgetsTheOldest() {
    var window = ProbeWindow()
    window.lost()
    for value in 1...ProbeWindow.capacity { window.answered(roundTrip: .milliseconds(value)) }
    #expect(window.count == ProbeWindow.capacity)
    #expect(window.loss == 0)
    #expect(window.roundTrip?.last == .milliseconds(ProbeWindow.capacity))
  }
}
