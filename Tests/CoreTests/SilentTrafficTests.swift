internal import RuleSets
import Testing

@testable import Core

@Suite struct SilentTrafficTests {
  private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

  /// The seconds at which a hint is given, if this much comes in and goes out each second.
  private func hints(_ seconds: Int, _ traffic: (Int) -> (bytesIn: UInt64, bytesOut: UInt64)) -> [Int] {
    var machine = SilentTraffic()
    var (bytesIn, bytesOut): (UInt64, UInt64) = (0, 0)
    return (0..<seconds).filter { second in
      let more = traffic(second)
      bytesIn += more.bytesIn
      bytesOut += more.bytesOut
      return machine.counted(bytesIn: bytesIn, bytesOut: bytesOut, at: at(Double(second)))
    }
  }

  @Test func aSilentCutIsSeenInTheSecondSecond() {
    #expect(hints(8) { ($0 < 5 ? 90_000 : 0, 5_000) }.first == 5)
    #expect(hints(8) { ($0 < 5 ? 90_000 : $0 == 5 ? 100 : 0, 5_000) }.first == 6)
  }

  @Test func trafficThatIsAnsweredGivesNone() {
    #expect(hints(100) { _ in (60, 1_000_000) }.isEmpty)
    #expect(hints(100) { _ in (1_000_000, 60) }.isEmpty)
  }

  @Test func withNoTrafficThereIsNothingToSee() {
    #expect(hints(100) { _ in (0, 0) }.isEmpty)
  }

  @Test func aSlowSenderIsSeenWhenEnoughIsUnanswered() {
    #expect(hints(20) { _ in (0, 300) }.first == 7)
  }

  @Test func oneWayTrafficCostsFewProbes() {
    // Each hint brings the answer of a probe in the second after it.
    var last = -1
    let all = hints(600) { second in (last == second - 1 ? 84 : 0, 50_000) }
    last = 0
    #expect(all.count <= 16)
    #expect(all.count >= 5)
  }

  @Test func aDeviceThatIsRecreatedStartsOver() {
    var machine = SilentTraffic()
    let samples: [(bytesIn: UInt64, bytesOut: UInt64)] = [(5_000, 90_000), (0, 50_000), (0, 60_000)]
    let hints = samples.enumerated().map { second, sample in
      machine.counted(bytesIn: sample.bytesIn, bytesOut: sample.bytesOut, at: at(Double(second)))
    }
    #expect(hints == [false, false, true])
  }
}
