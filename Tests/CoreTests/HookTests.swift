import Core
internal import RuleSets
import Testing

@Suite struct HookTests {
  private func call(_ text: String = "t", _ kind: AgentEvent.Kind = .failover) throws -> HookCall {
    let event = AgentEvent(
      kind, "office", text, details: ["from": "path:fra-a", "to": "local_wan:wan0", "cause": "path fra-a is down"])
    let router = try #require(Name("branch-017"))
    return try #require(HookCall(event, at: WallTime(milliseconds: 1_785_585_600_123), on: router))
  }

  @Test func theEnvironmentSaysWhatHappenedAndNothingElse() throws {
    #expect(
      try call("rule office: traffic goes local_wan:wan0").environment == [
        "BACKHAUL_CAUSE=path fra-a is down", "BACKHAUL_DEVICE=branch-017", "BACKHAUL_EVENT=failover",
        "BACKHAUL_FROM=path:fra-a", "BACKHAUL_RULE=office", "BACKHAUL_SEVERITY=warning", "BACKHAUL_SUBJECT=office",
        "BACKHAUL_TEXT=rule office: traffic goes local_wan:wan0", "BACKHAUL_TIME=2026-08-01T12:00:00.123Z",
        "BACKHAUL_TO=local_wan:wan0", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      ])
  }

  @Test func aPathsStateIsWhatItComesFromAndGoesTo() throws {
    let event = AgentEvent(.pathDown, "fra-a", "t", details: ["before": "up", "state": "down", "cause": "c"])
    let router = try #require(Name("r"))
    let call = try #require(HookCall(event, at: WallTime(milliseconds: 0), on: router))
    #expect(Set(["BACKHAUL_PATH=fra-a", "BACKHAUL_FROM=up", "BACKHAUL_TO=down"]).isSubset(of: call.environment))
  }

  @Test func aValueIsOneBoundedLine() throws {
    let environment = try call("a\nB=c\u{0}d\u{1b}" + String(repeating: "é", count: 5_000)).environment
    let text = try #require(environment.first { $0.hasPrefix("BACKHAUL_TEXT=") })
    #expect(text.hasPrefix("BACKHAUL_TEXT=a B=c d é") && text.utf8.count < 1_100)
    #expect(environment.allSatisfy { line in line.unicodeScalars.allSatisfy { $0.value >= 0x20 } })
  }

  @Test func whatHooksBringAboutCallsNoHook() throws {
    let name = try #require(Name("r"))
    for kind in [AgentEvent.Kind.hookFailed, .hookRefused, .hookPrinted] {
      #expect(HookCall(AgentEvent(kind, "s", "t"), at: WallTime(milliseconds: 0), on: name) == nil)
    }
  }

  /// A machine cannot change within `#expect`.
  private final class Queues {
    private var queues = HookQueues()
    func came(_ call: HookCall, for hook: String) -> HookCall? { queues.came(call, for: hook) }
    func ended(_ hook: String) -> HookCall? { queues.ended(hook).next }
    func missed(_ hook: String) -> Int { queues.ended(hook).missed }
    var isIdle: Bool { queues.isIdle }
    var dropped: Int { queues.droppedInAll }
  }

  @Test func eachHookRunsOnceAtATimeInOrder() throws {
    let queues = Queues()
    let calls = try (0..<3).map { try call("\($0)") }
    #expect(queues.came(calls[0], for: "a") == calls[0])
    #expect(queues.came(calls[1], for: "a") == nil)
    #expect(queues.came(calls[1], for: "b") == calls[1], "another waits for nobody")
    #expect(queues.came(calls[2], for: "a") == nil)
    #expect(queues.ended("a") == calls[1])
    #expect(queues.ended("a") == calls[2])
    #expect(queues.ended("a") == nil)
    #expect(!queues.isIdle)
    #expect(queues.ended("b") == nil)
    #expect(queues.isIdle)
  }

  @Test func aHookThatIsTooSlowMissesTheOldestAndIsToldHowMany() throws {
    let queues = Queues()
    let calls = try (0..<(HookQueues.capacity + 6)).map { try call("\($0)") }
    for call in calls { _ = queues.came(call, for: "a") }
    #expect(queues.dropped == 5)
    for index in 6..<calls.count { #expect(queues.ended("a") == calls[index]) }
    #expect(queues.missed("a") == 5)
    #expect(queues.came(calls[0], for: "a") == calls[0])
    #expect(queues.missed("a") == 0, "told once")
  }
}
