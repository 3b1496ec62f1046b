package import Core
package import RuleSets

/// What a real line did to one probe, packet by packet, recorded from the wire, so that the machine can be tested on
/// the same line on the virtual clock and must decide the same.
package struct RecordedLine: Sendable {
  /// For each probe, in sending order: how long its answer took; nil: there was none.
  package var answers: [Duration?]

  package init(answers: [Duration?]) { self.answers = answers }

  /// One line for each probe, in the order of sending: microseconds until its answer, or `-`. Nil for anything else.
  package init?(text: String) {
    answers = []
    for line in text.split(separator: "\n") {
      if line == "-" {
        answers.append(nil)
      } else {
        guard let microseconds = Int64(line), microseconds >= 0 else { return nil }
        answers.append(.microseconds(microseconds))
      }
    }
  }

  package struct Decision: Equatable, Sendable {
    package var state: ProbeMachine.State
    /// The number of probes sent by then.
    package var sent: Int
    package var at: Instant
  }

  /// The decisions of a machine that sends its probes over this line, until the recording ends.
  package func decisions(of probe: Probe) -> [Decision] {
    var machine = ProbeMachine(probe, at: Instant(nanoseconds: 0), phase: .zero)
    var decisions: [Decision] = []
    var sent = 0
    var onTheirWay: [(number: UInt64, arrives: Instant, roundTrip: Duration)] = []
    while true {
      let before = machine.state
      let deadline = machine.nextDeadline
      var now = deadline
      if let next = onTheirWay.indices.min(by: { onTheirWay[$0].arrives < onTheirWay[$1].arrives }),
        onTheirWay[next].arrives < deadline
      {
        let answer = onTheirWay.remove(at: next)
        now = answer.arrives
        _ = machine.came(.answered(roundTrip: answer.roundTrip), of: answer.number, at: now)
      } else {
        for case .send(let number) in machine.timePassed(to: now) {
          guard sent < answers.count else { return decisions }
          if let roundTrip = answers[sent] { onTheirWay.append((number, now + roundTrip, roundTrip)) }
          sent += 1
        }
      }
      if machine.state != before { decisions.append(Decision(state: machine.state, sent: sent, at: now)) }
    }
  }
}
