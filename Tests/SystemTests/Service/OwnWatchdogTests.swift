import Agent
import Core
import Synchronization
import Testing

@testable import System

@Suite(.timeLimit(.minutes(5))) struct OwnWatchdogTests {
  private final class Ends: Sendable {
    let all = Mutex<[String]>([])
    var count: Int { all.withLock { $0.count } }
  }

  private func watchdog(_ ends: Ends) throws -> OwnWatchdog {
    try OwnWatchdog(limit: .seconds(5), turn: .milliseconds(200)) { why in ends.all.withLock { $0.append(why) } }
  }

  @Test func `a silent process is ended once, with its last words`() async throws {
    let ends = Ends()
    let watchdog = try watchdog(ends)
    #expect(watchdog.watchdog == .seconds(5))
    #expect(watchdog.tell([.ready, .status("the probes have not answered for a while")]))
    while ends.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
    try await Task.sleep(for: .milliseconds(200))
    #expect(ends.all.withLock { $0 } == ["the probes have not answered for a while"])
  }

  /// Turn by turn, because a busy machine may delay the sign of life.
  @Test func `a process that reports that it is alive, or stopping, is left alone`() throws {
    func watchdog() throws -> OwnWatchdog { try OwnWatchdog(limit: .seconds(5), turn: .seconds(1_000)) { _ in } }
    let alive = try watchdog()
    let stopping = try watchdog()
    #expect(stopping.tell([.stopping]))
    for _ in 0..<100 {
      #expect(alive.tell([.alive]))
      for _ in 0..<5 { #expect(alive.turn() == nil && stopping.turn() == nil) }
    }
    #expect(alive.turn() == "" && stopping.turn() == nil)
    #expect(alive.tell([.status("it hangs")]))
    #expect(alive.turn() == "it hangs")
  }
}
