internal import RuleSets
import Testing

@testable import Core

/// Rules that share an egress share its selection, its route and its sweeps.
@Suite struct WatchEgressTests {
  private static let prefixes = ["office": "192.168.10.0/24", "lab": "192.168.12.0/24", "shop": "192.168.14.0/24"]

  private func plan(_ bench: WatchBench, _ rules: [String], egress: String = "hub") throws -> WatchPlan {
    var plan = try bench.plan()
    let sample = plan.rules[0]
    plan.rules = try rules.map { name in
      var rule = sample
      rule.rule.name = try #require(Name(name))
      rule.rule.egress.name = try #require(Name(egress))
      rule.rule.sources = Sources(prefixes: [try #require(Self.prefixes[name].flatMap { IPv4Prefix($0) })])
      rule.sources = AddressRanges.merged(rule.rule.sources.prefixes)
      return rule
    }
    return plan
  }

  private func running(_ rules: [String], egress: String = "hub") throws -> WatchBench {
    let bench = try WatchBench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try bench.watch.watch(try plan(bench, rules, egress: egress), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.a))
    return bench
  }

  @Test func `rules that share an egress flip together, with one event`() throws {
    let bench = try running(["office", "lab"])
    let before = bench.swept.count
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .milliseconds(400))
    #expect(bench.flipper.log == ["\(bench.table) → bh-a", "\(bench.table) → bh-b"])
    let flips = bench.events.all.filter { $0.kind == .failover }
    #expect(flips.map(\.subject) == ["hub"])
    #expect(flips.first?.text.hasPrefix("egress hub (rules office, lab): now path:b, was path:a") == true)
    #expect(flips.first?.rules == ["office", "lab"])
    let moved = bench.swept.dropFirst(before).filter { !$0.heirs.isEmpty }
    #expect(moved.map(\.sources) == [[0xc0a8_0a00...0xc0a8_0aff, 0xc0a8_0c00...0xc0a8_0cff]])
    let snapshot = bench.watch.snapshot()
    #expect(snapshot.selections.keys.map(\.text).sorted() == ["lab", "office"])
    #expect(snapshot.selections.values.allSatisfy { $0.choice?.paths.map(\.text) == ["b"] })
    #expect(snapshot.causes.count == 2)
    #expect(snapshot.modes.count == 2)
    var tally = EventTally()
    for event in bench.events.all { tally.noted(event) }
    #expect(tally.flips[EventTally.Key("lab", "failover")] == 1)
    #expect(tally.failovers[EventTally.Key("office", "probes")] == 1)
  }

  @Test func `adding or removing a rule does not move other rules' traffic`() throws {
    let bench = try running(["office", "lab"])
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(1))
    let flips = bench.flipper.log.count
    let turns = [(["lab"], "lab", true), (["lab", "shop"], "lab", false), (["shop"], "shop", true)]
    for (rules, staying, someoneLeft) in turns {
      let swept = bench.swept.count
      try bench.watch.watch(try plan(bench, rules), links: bench.links, generation: 0)
      bench.loop.advance(by: .milliseconds(10))
      let range = try #require(Self.prefixes[staying].flatMap { IPv4Prefix($0) }).range
      for sweep in bench.swept.dropFirst(swept) {
        #expect(sweep.sources.map { $0.allSatisfy { !$0.overlaps(range) } } == true, "\(sweep)")
      }
      #expect((bench.swept.count > swept) == someoneLeft)
      #expect(bench.watch.snapshot().selections.keys.map(\.text).sorted() == rules)
      #expect(bench.goesBy(bench.b))
    }
    #expect(bench.flipper.log.count == flips)
  }

  @Test(arguments: [("office", "rule office"), ("hub", "rule office (egress hub)")])
  func `a lone rule is called by its name`(_ egress: String, _ title: String) throws {
    let bench = try running(["office"], egress: egress)
    let event = try #require(bench.events.all.first { $0.kind == .initial })
    #expect(event.subject == "office")
    #expect(event.text.hasPrefix("\(title): now path:a"))
    #expect(event.rules == ["office"])
  }
}
