internal import RuleSets
import Testing

@testable import Core

@Suite struct VitalsTests {
  private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1_000_000_000)) }

  @Test func aPartThatHasJustStartedIsAlive() {
    let vitals = Vitals(watchdog: .seconds(10), at: at(100))
    #expect(vitals.silent(at: at(105)).isEmpty)
    #expect(vitals.silent(at: at(105.1)).map(\.part) == [.watch, .reconciler])
  }

  @Test func everyPartMustAnswer() {
    for silent in Vitals.Part.allCases {
      var vitals = Vitals(watchdog: .seconds(10), at: at(0))
      for second in 1...20 {
        for part in vitals.due() where part != silent { vitals.answered(part, well: true, at: at(Double(second))) }
      }
      #expect(vitals.silent(at: at(20)).map(\.part) == [silent])
      #expect(vitals.silent(at: at(20)).map(\.for) == [.seconds(20)])
      vitals.answered(silent, well: true, at: at(20))
      #expect(vitals.silent(at: at(20)).isEmpty)
    }
  }

  @Test func aPartThatOwesAnAnswerIsNotAskedAgain() {
    var vitals = Vitals(watchdog: .seconds(10), at: at(0))
    #expect(vitals.due() == [.watch, .reconciler])
    #expect(vitals.due().isEmpty)
    vitals.answered(.reconciler, well: true, at: at(1))
    #expect(vitals.due() == [.reconciler])
  }

  @Test func aPartThatIsBehindShowsNoLifeAndIsAskedAgain() {
    var vitals = Vitals(watchdog: .seconds(10), at: at(0))
    for second in 1...6 {
      for part in vitals.due() { vitals.answered(part, well: part != .watch, at: at(Double(second))) }
    }
    #expect(vitals.silent(at: at(6)).map(\.part) == [.watch])
  }

  @Test func aStalledAgentIsEndedAfterOneAndAHalfOfTheTime() {
    let vitals = Vitals(watchdog: .seconds(10), at: at(0))
    // The last sign of life is sent within `patience`; the service manager then waits for its whole time.
    #expect(vitals.patience + .seconds(10) == .seconds(15))
    #expect(vitals.period * 2 <= vitals.patience, "two words may be lost")
  }

  @Test func withoutAWatchdogTheLineIsStillKeptFresh() {
    #expect(Vitals(watchdog: nil, at: at(0)).period == .seconds(5))
    #expect(Vitals(watchdog: .seconds(120), at: at(0)).period == .seconds(5))
    #expect(Vitals(watchdog: .seconds(2), at: at(0)).period == .milliseconds(500))
  }
}
