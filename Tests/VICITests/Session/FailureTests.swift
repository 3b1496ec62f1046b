import Glibc
import Testing

@testable import VICI

@Suite struct FailureTests {
  private func failure(_ cause: VICIFailure.Cause) -> VICIFailure {
    VICIFailure(operation: "vici load-conn", socketPath: "/run/charon.vici", cause: cause)
  }

  @Test(
    arguments: [
      (.refused("unknown option: x, config discarded"), "charon refused: unknown option: x, config discarded"),
      (.refused(""), "charon refused and did not say why"),
      (.unknownCommand, "charon has no such command"),
      (.timedOut, "charon did not answer in time"),
      (.closed, "charon closed the connection"),
      (.system(call: "connect", errno: ECONNREFUSED), "connect: Connection refused (errno 111)"),
      (.malformed(.keyInList, at: 17), "charon sent a malformed packet: a key within a list, at byte 17"),
      (.unexpected(packet: "EVENT_CONFIRM"), "charon answered with EVENT_CONFIRM"),
      (
        .unencodable(.valueTooLong(of: "data", 70_000)),
        "cannot be asked: a value of data of 70000 bytes, but the limit is 65535"
      ),
    ] as [(VICIFailure.Cause, String)])
  func `a failure says what was asked, of which socket, and what came back`(_ cause: VICIFailure.Cause, _ text: String)
  {
    #expect(failure(cause).description == "vici load-conn at /run/charon.vici: \(text)")
  }

  @Test func `a failure has properties to ask`() {
    #expect(failure(.closed).isGone && failure(.system(call: "connect", errno: ENOENT)).isGone)
    #expect(failure(.system(call: "connect", errno: ECONNREFUSED)).isGone)
    #expect(!failure(.system(call: "connect", errno: EACCES)).isGone && !failure(.timedOut).isGone)
    #expect(failure(.timedOut).isTimeout && !failure(.closed).isTimeout)
    #expect(failure(.refused("no")).refusal == "no" && failure(.unknownCommand).refusal == nil)
    let harmless: [VICIFailure.Cause] = [.refused(""), .unknownCommand, .unknownEvent("e"), .unencodable(.badName)]
    #expect(harmless.allSatisfy { !failure($0).breaksSession })
    let fatal: [VICIFailure.Cause] = [
      .timedOut, .closed, .system(call: "recv", errno: EIO), .malformed(.cutOff, at: 0), .unexpected(packet: "EVENT"),
      .broken,
    ]
    #expect(fatal.allSatisfy { failure($0).breaksSession })
  }

  @Test func `charon's words stay on one line, and end`() {
    #expect(VICIName.printable("no\n\u{1b}[31mproposal") == "no??[31mproposal")
    #expect(VICIName.printable(String(repeating: "x", count: 5000)).utf8.count == 1024)
  }
}

@Suite struct BackOffTests {
  @Test func `the pause is zero at first, then doubles up to five seconds, and is zero again after a success`() {
    var backOff = VICIBackOff()
    let waits = (0..<9).map { _ in backOff.failed(chance: 1) }
    #expect(waits == [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000].map { .milliseconds($0) })
    backOff.succeeded()
    #expect(backOff.failed(chance: 1) == .zero)
  }

  @Test func `the pause is randomly shortened by up to half, and retries never end`() {
    var backOff = VICIBackOff()
    for _ in 0..<1000 { _ = backOff.failed(chance: 0) }
    #expect(backOff.failed(chance: 0) == .milliseconds(2500))
    #expect(backOff.failed(chance: 0.5) == .milliseconds(3750))
    #expect(backOff.failed(chance: 7) == .seconds(5))
    #expect(backOff.failed(chance: -1) == .milliseconds(2500))
  }
}

@Suite struct EventQueueTests {
  private func fill(_ queue: inout VICIEventQueue, _ count: Int, bytes: Int) -> Int {
    (0..<count).reduce(0) { dropped, number in
      queue.append("e\(number)", VICIMessage(), bytes: bytes) ? dropped : dropped + 1
    }
  }

  @Test func `the queue keeps the newest, in order, and says that others were dropped`() {
    var queue = VICIEventQueue()
    #expect(fill(&queue, VICIEventQueue.maximumCount, bytes: 10) == 0)
    #expect(queue.append("last", VICIMessage(), bytes: 10) == false)
    #expect(queue.removeFirst()?.name == "e1")
    while let next = queue.removeFirst() { if queue.isEmpty { #expect(next.name == "last") } }
  }

  @Test func `the queue is bounded in bytes too`() {
    var queue = VICIEventQueue()
    #expect(fill(&queue, 5, bytes: 512 << 10) == 3)
    #expect(queue.removeFirst()?.name == "e3" && queue.removeFirst()?.name == "e4" && queue.removeFirst() == nil)
    #expect(fill(&queue, 2, bytes: 512 << 10) == 0)
  }
}
