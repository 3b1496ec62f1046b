import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// A clock that tests move.
private final class MovedClock: Surroundings {
  private let time = Mutex(Instant(nanoseconds: 0))
  var now: Instant { time.withLock { $0 } }
  func pass(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
  var wallTime: WallTime { WallTime(secondsSince1970: 0) }
  var chance: Double { 0.5 }
}

/// The rest of the agent, parts of which may stall.
private final class Parts: Sendable {
  private let still = Mutex<Set<Vitals.Part>>([])
  func stop(_ part: Vitals.Part) { still.withLock { _ = $0.insert(part) } }
  func isStill(_ part: Vitals.Part) -> Bool { still.withLock { $0.contains(part) } }
  /// Whether every part that has not stalled has answered.
  func areHeard(by pulse: ServicePulse) async -> Bool {
    let awaited = await pulse.vitals.asked
    return awaited.allSatisfy(isStill) ? await !pulse.awaitsLine : false
  }

  var questions: ServicePulse.Questions {
    .init(
      life: { part, answer in if !self.isStill(part) { answer(true) } },
      line: { $0("revision 7") })
  }
}

@Suite(.timeLimit(.minutes(5))) struct ServicePulseTests {
  private let clock = MovedClock()
  private let parts = Parts()

  private func pulse(_ manager: FakeServiceManager) -> ServicePulse {
    ServicePulse(manager: manager, questions: parts.questions, surroundings: clock)
  }

  /// Turns as far apart as in reality, after which the answers have come in.
  private func beat(_ pulse: ServicePulse, times: Int) async throws {
    for _ in 0..<times {
      clock.pass(.milliseconds(2_500))
      await pulse.beat()
      while await !parts.areHeard(by: pulse) { try await Task.sleep(for: .milliseconds(1)) }
    }
  }

  @Test func readyIsReportedOnceAndOnlyWhenStarted() async throws {
    let manager = FakeServiceManager(watchdog: .seconds(10))
    let pulse = pulse(manager)
    try await beat(pulse, times: 3)
    #expect(!manager.isReady)
    await pulse.started()
    try await beat(pulse, times: 3)
    #expect(manager.words.count { $0 == .ready } == 1)
  }

  @Test func aMessageThatWasNotAcceptedIsSentAgain() async throws {
    let manager = FakeServiceManager(watchdog: .seconds(10))
    let pulse = pulse(manager)
    manager.isFull = true
    await pulse.started()
    try await beat(pulse, times: 1)
    #expect(manager.words.isEmpty)
    manager.isFull = false
    try await beat(pulse, times: 1)
    #expect(manager.isReady)
    #expect(manager.status == "revision 7")
  }

  @Test(arguments: Vitals.Part.allCases)
  func whenAPartStallsNoSignOfLifeIsSent(_ part: Vitals.Part) async throws {
    let manager = FakeServiceManager(watchdog: .seconds(10))
    let pulse = pulse(manager)
    await pulse.started()
    try await beat(pulse, times: 20)
    let alive = manager.words.count { $0 == .alive }
    #expect(alive >= 20)
    parts.stop(part)
    try await beat(pulse, times: 20)
    #expect(manager.words.count { $0 == .alive } - alive <= 3)
    #expect(manager.status?.contains(part.rawValue) == true)
  }

  @Test func withoutAWatchdogNoSignOfLifeIsSent() async throws {
    let manager = FakeServiceManager(watchdog: nil)
    let pulse = pulse(manager)
    await pulse.started()
    try await beat(pulse, times: 3)
    #expect(!manager.words.contains(.alive))
    #expect(manager.isReady)
  }

  @Test func theEndIsReported() async {
    let manager = FakeServiceManager(watchdog: .seconds(10))
    let pulse = pulse(manager)
    let running = Task { await pulse.run() }
    running.cancel()
    await running.value
    #expect(manager.words.last == .stopping)
  }

  @Test func aLineStaysALine() {
    #expect(ServiceWord.status("a\nREADY=1\r\nb").text == "STATUS=a READY=1 b")
    #expect(ServiceWord.status(String(repeating: "x", count: 5_000)).text.count < 400)
  }
}
