import Core
import Fakes
internal import RuleSets
import Testing

@testable import Agent

@Suite(.timeLimit(.minutes(5))) struct HookRunnerTests {
  private final class Bench: Sendable {
    let hooks: FakeHooks
    let events = RecordedEvents()
    let runner: HookRunner
    private let running: Task<Void, Never>

    init(_ names: [String]) throws {
      hooks = FakeHooks(names)
      let runner = HookRunner(
        HooksConfiguration(), port: hooks, device: try #require(Name("r")), surroundings: StillSurroundings())
      self.runner = runner
      let events = events
      running = Task { await runner.run(telling: events) }
    }

    func note(_ kind: AgentEvent.Kind) { runner.noticed(AgentEvent(kind, "office", "t")) }
    func until(_ condition: () async -> Bool) async {
      while await !condition() { try? await Task.sleep(for: .milliseconds(1)) }
    }
  }

  @Test func eachHookGetsEventsInOrderAndOneAtATime() async throws {
    let bench = try Bench(["a", "b"])
    bench.hooks.hold("a")
    for kind in [AgentEvent.Kind.agentStarted, .pathDown, .failover, .metricsFailed] { bench.note(kind) }
    await bench.until { bench.hooks.begun.count == 4 }
    #expect(
      bench.hooks.begun.filter { $0.hook == "b" }.map(\.event) == ["agent_started", "path_down", "failover"],
      "a hook that hangs holds up no other, and what nobody has use for is not told")
    bench.hooks.release("a")
    await bench.until { bench.hooks.begun.count == 6 }
    #expect(bench.hooks.begun.filter { $0.hook == "a" }.map(\.event) == ["agent_started", "path_down", "failover"])
    #expect(bench.hooks.mostAtOnce == 1)
    await bench.until { await bench.runner.tally.successes == 6 }
    #expect(bench.events.all.isEmpty, "all is well, and nothing is said")
  }

  @Test func howARunEndedIsReported() async throws {
    let bench = try Bench(["fails", "prints", "slow"])
    bench.hooks.end("fails", HookOutcome(.exited(3), output: ["no route", "to the pager"]))
    bench.hooks.end("prints", HookOutcome(.exited(0), output: ["sent"]))
    bench.hooks.end("slow", HookOutcome(.overTime))
    bench.note(.failover)
    await bench.until { bench.events.all.count == 3 }
    #expect(
      Set(bench.events.all.map(\.text)) == [
        "hook fails, run for failover, ended with status 3: no route / to the pager",
        "hook prints, run for failover: sent", "hook slow, run for failover, took longer than 10 s, and was killed",
      ])
    #expect(await bench.runner.tally.failures == 2)
  }

  @Test func aRefusalIsReportedOnceForEachReason() async throws {
    let bench = try Bench([])
    bench.hooks.refuse("a", "it belongs to user 1, not to root")
    for _ in 0..<3 { bench.note(.failover) }
    await bench.until { bench.events.count(.hookRefused) == 1 }
    bench.hooks.refuse("a", "it is not executable")
    bench.note(.failover)
    await bench.until { bench.events.count(.hookRefused) == 2 }
    #expect(bench.events.all.last?.text == "hook a is not run: it is not executable")
  }

  @Test func aHookThatIsTooSlowMissesEvents() async throws {
    let bench = try Bench(["a"])
    bench.hooks.hold("a")
    bench.note(.failover)
    await bench.until { bench.hooks.begun.count == 1 }
    for _ in 0..<(HookQueues.capacity + 5) { bench.note(.failback) }
    await bench.until { await bench.runner.tally.dropped == 5 }
    bench.hooks.release("a")
    await bench.until { bench.events.count(.hookFailed) == 1 }
    #expect(
      bench.events.all.last?.text == "hook a cannot keep up with events: it was not told of 5 of them")
  }

  /// Events come from many threads while runs end: the newest one is delivered even if no other follows.
  @Test func noEventWaitsForTheNextOne() async throws {
    let bench = try Bench(["a", "b"])
    for round in 1...50 {
      await withTaskGroup { group in
        for _ in 0..<8 {
          group.addTask {
            for _ in 0..<5 {
              bench.note(.failover)
              await Task.yield()
            }
          }
        }
      }
      await bench.until { bench.hooks.begun.count == round * 80 }
    }
    #expect(await bench.runner.tally.dropped == 0)
  }
}
