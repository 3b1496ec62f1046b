import Core
import Fakes
internal import RuleSets
import Testing

@testable import Agent

@Suite struct ReconcilerFlowtableTests {
  @Test func aFlowtableIsPutUpLastAndGoesFirst() async throws {
    let bench = try await ReconcilerBench(usesFlowtable: true)
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    let wanted = try #require(try bench.fake.read(expecting: nil).fastTable)
    #expect(bench.kernel.steps.last == .putFastTable(wanted))
    bench.kernel.forget()
    try await bench.apply(try bench.ruleSet(2, tunnels: ["a", "b"]))
    #expect(bench.kernel.steps.first == .deleteFastTable(table: wanted.name))
    let devices = try bench.fake.read(expecting: nil).fastTable?.flowtables.flatMap(\.devices).map(\.text)
    #expect(devices == ["bh-a", "bh-b", "lan0"])
    try await bench.look()
    bench.kernel.forget()
    bench.events.forget()
    try await bench.look()
    #expect(bench.kernel.steps == [])
    try bench.fake.change("nft delete table") { $0.fast = nil }
    try await bench.look()
    #expect(bench.kernel.steps.count == 1 && bench.events.count(.driftRepaired) == 1)
    bench.kernel.forget()
    bench.events.forget()
    await bench.reconciler.look(because: .firewall)
    try await bench.look()
    let table = try #require(try bench.fake.read(expecting: nil).fastTable)
    #expect(bench.kernel.steps == [.putFastTable(table)], "another program's chains are to see what is offloaded")
    #expect(bench.events.all.isEmpty)
    #expect(try bench.fake.read(expecting: nil).fastTable != nil)
  }

  @Test func aKernelWithoutFlowtablesCostsNothingElse() async throws {
    let bench = try await ReconcilerBench(usesFlowtable: true)
    try bench.fake.change("rmmod") { $0.refusesFlowtables = true }
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    #expect(bench.events.count(.applied) == 1 && bench.events.count(.applyFailed) == 1)
    #expect(await bench.reconciler.trouble == nil)
    #expect(await bench.reconciler.flowtable?.contains("backhaul_fast") == true)
    try await bench.look()
    try await bench.look()
    #expect(bench.events.count(.applyFailed) == 1, "told once")
    #expect(bench.events.count(.driftRepaired) == 0)
    #expect(await bench.reconciler.retry == nil, "the next look is soon enough")
    try bench.fake.change("modprobe") { $0.refusesFlowtables = false }
    try await bench.look()
    #expect(try bench.fake.read(expecting: nil).fastTable != nil)
    #expect(await bench.reconciler.flowtable == "on")
  }

  @Test func nothingChangesWhereTheFlowtableCannotBeTakenAway() async throws {
    let bench = try await ReconcilerBench(usesFlowtable: true)
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    bench.kernel.refuse { if case .deleteFastTable = $0 { true } else { false } }
    bench.kernel.forget()
    await #expect(throws: RuleSetRefusal.self) { try await bench.apply(try bench.ruleSet(2, tunnels: ["a", "b"])) }
    #expect(!bench.kernel.steps.contains { $0.isNftTable })
  }
}
