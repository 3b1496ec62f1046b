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

  /// The machine when one probe was answered in a millisecond.
  private func answered(_ probe: Probe) -> ProbeMachine {
    var machine = ProbeMachine(probe, at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    return machine
  }

  @Test func downAfterFallLossesAndNotBefore() throws {
    var machine = answered(try probe())
    let (sent, down) = silence(&machine, from: at(1))
    #expect(sent.prefix(3) == [at(100), at(120), at(130)], "confirmed at once, not at each probe's turn")
    #expect(down == at(170), "the third probe has had two fifths of the interval")
    #expect(machine.lost == 3)
  }

  @Test func aPathThatIsProbedEachSecondIsLeftSoon() throws {
    for fall in 1...5 {
      var machine = answered(try probe(interval: 1_000, timeout: 800, fall: fall))
      let (sent, down) = silence(&machine, from: at(1))
      #expect(sent.count == fall, "not one probe more than the verdict needs")
      // The cut came right after the answer at the worst.
      #expect(try #require(down) <= at(1_300))
    }
  }

  @Test func anAnswerThatIsLateButWithinItsTimeoutEndsTheSuspicion() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    #expect(machine.timePassed(to: at(1_000)) == [.send(2)])
    #expect(machine.timePassed(to: at(1_050)) == [.send(3)])
    #expect(machine.timePassed(to: at(1_075)) == [.send(4)])
    #expect(machine.timePassed(to: at(1_150)).isEmpty)
    #expect(machine.lost == 1)
    _ = machine.came(.answered(roundTrip: .milliseconds(160)), of: 2, at: at(1_160))
    #expect(machine.lost == 0)
    #expect(machine.state == .up)
    #expect(machine.window.loss == 0)
  }

  @Test func aPathThatBecomesSlowIsNotLeftForIt() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    var arriving: [(at: Instant, number: UInt64)] = []
    var now = at(1)
    for _ in 0..<200 {
      let next = arriving.first.map { min($0.at, machine.nextDeadline) } ?? machine.nextDeadline
      now = max(now, next)
      if let first = arriving.first, first.at <= now {
        arriving.removeFirst()
        _ = machine.came(.answered(roundTrip: .milliseconds(140)), of: first.number, at: now)
      }
      for case .send(let number) in machine.timePassed(to: now) { arriving.append((now + .milliseconds(140), number)) }
      #expect(machine.state == .up)
    }
    #expect(machine.window.loss == 0)
  }

  /// What is sent until then on a path that answers each probe after this time.
  private func sent(_ machine: inout ProbeMachine, until end: Instant, answering delay: Duration) -> Int {
    var arriving: [(at: Instant, number: UInt64)] = []
    var sent = 0
    var now = at(1)
    while now < end {
      now = max(now, min(arriving.first?.at ?? end, machine.nextDeadline))
      while let first = arriving.first, first.at <= now {
        arriving.removeFirst()
        _ = machine.came(.answered(roundTrip: delay), of: first.number, at: now)
      }
      for case .send(let number) in machine.timePassed(to: now) {
        sent += 1
        arriving.append((now + delay, number))
      }
    }
    return sent
  }

  @Test func aPathThatBecomesSlowIsAskedMoreOnlyUntilThatIsUsual() throws {
    var machine = answered(try probe(interval: 500, timeout: 400, fall: 5))
    let first = sent(&machine, until: at(2_000), answering: .milliseconds(122))
    #expect(first <= 12)
    let then = sent(&machine, until: at(12_000), answering: .milliseconds(122))
    #expect(then <= 21, "confirmations of confirmations would go on for ever")
    #expect(machine.state == .up)
  }

  @Test func whatWasMissedAndThenRefusedIsOneLoss() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    #expect(machine.timePassed(to: at(1_000)) == [.send(2)])
    #expect(machine.timePassed(to: at(1_150)) == [.send(3)])
    #expect(machine.lost == 1)
    _ = machine.came(.refused("Host unreachable"), of: 2, at: at(1_160))
    #expect(machine.lost == 1)
  }

  @Test func aProbeThatIsNeverAnsweredBreaksTheRowOfAnswers() throws {
    var machine = answered(try probe(interval: 200, timeout: 160, fall: 2, rise: 4))
    #expect(machine.timePassed(to: at(200)) == [.send(2)])
    #expect(machine.timePassed(to: at(250)) == [.send(3)])
    _ = machine.timePassed(to: at(330))
    #expect(machine.state == .down)
    // The first comes after all, the second never.
    _ = machine.came(.answered(roundTrip: .milliseconds(150)), of: 2, at: at(350))
    #expect(machine.answered == 1)
    _ = machine.timePassed(to: at(410))
    #expect(machine.answered == 0)
  }

  @Test func aRefusalIsConfirmedAtOnce() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    var now = at(1_000)
    for number in UInt64(2)...4 {
      #expect(machine.timePassed(to: now) == [.send(number)])
      _ = machine.came(.refused("Host unreachable"), of: number, at: now)
      now = machine.nextDeadline
    }
    #expect(machine.state == .down)
    #expect(machine.since == at(1_050))
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
    #expect(machine.timePassed(to: at(120)) == [.send(3)])
    #expect(machine.came(.answered(roundTrip: .milliseconds(25)), of: 2, at: at(125)).isEmpty)
    #expect(machine.came(.answered(roundTrip: .milliseconds(6)), of: 3, at: at(126)).isEmpty)
    #expect(machine.lost == 0)
    #expect(machine.window.loss == 0)
    #expect(machine.nextDeadline == at(220))
  }

  @Test func anAnswerMakesOlderProbesUninteresting() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    _ = machine.timePassed(to: at(100))
    _ = machine.timePassed(to: at(120))
    #expect(machine.came(.answered(roundTrip: .milliseconds(1)), of: 3, at: at(121)) == [.abandon(2)])
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

  @Test func whatAClosedSocketHasSentIsNoLoss() throws {
    var machine = ProbeMachine(try probe(fall: 1), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    #expect(machine.timePassed(to: at(100)) == [.send(2)])
    machine.socketChanged()
    #expect(machine.timePassed(to: at(200)) == [.send(3)])
    #expect(machine.state == .up)
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
    #expect(down == at(80), "10, 30 and 40 ms, and two fifths of an interval without an answer to the last one")
  }

  @Test func whatBeginsAnewTrustsTheFirstAnswer() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    let (_, down) = silence(&machine, from: at(0))
    let now = try #require(down)
    machine.begun(at: now)
    #expect(machine.state == .unknown)
    #expect(machine.lost == 0)
    let due = machine.nextDeadline
    guard case .send(let number)? = machine.timePassed(to: due).last else {
      Issue.record("nothing is sent")
      return
    }
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: number, at: due + .milliseconds(1))
    #expect(machine.state == .up)
    let before = machine
    machine.begun(at: due + .milliseconds(2))
    #expect(machine == before, "what is up has begun")
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
