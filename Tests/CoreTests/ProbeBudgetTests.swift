internal import RuleSets
import Testing

@testable import Core

@Suite struct ProbeBudgetTests {
  private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
  /// A ping a second by a GRE tunnel, and four scouts.
  private let loads =
    [ProbeBudget.Load(bytes: 216, interval: .seconds(1))]
    + Array(repeating: ProbeBudget.Load(bytes: 168, interval: .seconds(10)), count: 4)

  @Test func whatIsLongEnoughIsNotStretched() {
    #expect(ProbeBudget(100_000_000, at: at(5)).stretch(loads, at: at(5)) == 1)
    #expect(ProbeBudget(100_000, at: at(5)).stretch([], at: at(5)) == 1)
  }

  /// Sends at the stretched intervals, with bursts in between, for two and a half days.
  @Test(arguments: [100_000, 1_000_000, 5_000_000, 20_000_000], [0, 3, 50]) func theDaysBudgetHolds(
    limit: Int, bursts: Int
  ) {
    var budget = ProbeBudget(limit, at: at(0))
    var spent = [0, 0, 0]
    let step = 120.0
    for number in 0..<Int(2.5 * 86_400 / step) {
      let now = Double(number) * step
      let stretch = budget.stretch(loads, at: at(now))
      var bytes = Int(loads.reduce(0) { $0 + Double($1.bytes) / $1.interval.inSeconds } * step / stretch)
      let isBurst = bursts > 0 && number % (720 / bursts) == 7
      if isBurst { bytes += 600 }
      budget.took(bytes, at: at(now))
      spent[Int(now / 86_400)] += bytes
    }
    #expect(spent.allSatisfy { $0 <= limit })
    // The whole budget is used, because no verdict should come later than necessary.
    #expect(Double(spent[1]) >= Double(min(limit, 24_000_000)) * 0.85)
    #expect(budget.spentYesterday == spent[1])
  }

  @Test func burstsAreCountedAndPeacePaysForThem() {
    var budget = ProbeBudget(1_000_000, at: at(0))
    let before = budget.stretch(loads, at: at(0))
    budget.took(500_000, at: at(1))
    #expect(budget.stretch(loads, at: at(1)) > before * 1.9)
    budget.took(-500_000, at: at(2))
    #expect(budget.spent == 0, "what could not be sent is taken back")
  }

  @Test func whereNothingIsLeftTheStretchIsTheLongest() {
    var budget = ProbeBudget(100_000, at: at(0))
    budget.took(200_000, at: at(1))
    #expect(budget.stretch(loads, at: at(2)) == ProbeBudget.mostStretch)
    #expect(budget.stretch(loads, at: at(86_401)) < ProbeBudget.mostStretch, "but only until the day is over")
    #expect(budget.limited(to: 10_000_000).spent == 200_000)
  }

  @Test func aProbesSizeIsThatOfItsPacketsBelowTheTunnel() throws {
    let name = try #require(Name("ping"))
    let target = IPv4Address(value: 1)
    let ping = Probe(name: name, path: name, kind: .icmp(target: target))
    #expect(ProbeSize.bytes(of: ping, headers: 24) == 216)
    let check = HTTPCheck(scheme: .http, address: target, port: 80, target: "/")
    let get = Probe(name: name, path: name, kind: .http(check))
    #expect(ProbeSize.bytes(of: get, headers: 20) == 1_400)
  }
}
