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
    machine.came(.answered(roundTrip: .milliseconds(7)), of: 1, at: at(7))
    #expect(machine.state == .up)
    #expect(machine.window.roundTrip?.last == .milliseconds(7))
  }

  @Test func downAfterFallLossesAndNotBefore() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    for number in 2...4 {
      let sent = at((number - 1) * 100)
      #expect(machine.nextDeadline == sent)
      #expect(machine.timePassed(to: sent) == [.send(UInt64(number))])
      #expect(machine.state == .up)
      let late = sent + .milliseconds(80)
      #expect(machine.nextDeadline == late)
      #expect(machine.timePassed(to: late) == [.abandon(UInt64(number))])
    }
    #expect(machine.state == .down)
    #expect(machine.since == at(380), "interval × fall after the last answer, less what the timeout is shorter")
    #expect(machine.lost == 3)
  }

  @Test func upAgainAfterRiseAnswers() throws {
    var machine = ProbeMachine(try probe(fall: 1, rise: 2), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.timePassed(to: at(80))
    #expect(machine.state == .down)
    _ = machine.timePassed(to: at(100))
    machine.came(.answered(roundTrip: .milliseconds(1)), of: 2, at: at(101))
    #expect(machine.state == .down)
    _ = machine.timePassed(to: at(200))
    machine.came(.answered(roundTrip: .milliseconds(1)), of: 3, at: at(201))
    #expect(machine.state == .up)
  }

  @Test func aLateAnswerIsIgnored() throws {
    var machine = ProbeMachine(try probe(fall: 1), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.timePassed(to: at(80))
    machine.came(.answered(roundTrip: .milliseconds(90)), of: 1, at: at(90))
    #expect(machine.state == .down)
    #expect(machine.answered == 0)
  }

  @Test func whatCouldNotBeSentIsNoLoss() throws {
    var machine = ProbeMachine(try probe(fall: 2), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    for round in 1...5 {
      _ = machine.timePassed(to: at(round * 100))
      machine.came(.couldNotSend("no buffer"), of: UInt64(round + 1), at: at(round * 100))
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
