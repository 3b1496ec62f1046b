import Agent
import Core
import Glibc
internal import RuleSets
import Synchronization
import System
import Testing

/// What tests record from another thread.
final class Record<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])
  var all: [Value] { values.withLock { $0 } }
  func add(_ value: Value) { values.withLock { $0.append(value) } }

  /// Waits until there are `count`, at most ten seconds.
  func wait(for count: Int) async -> [Value] {
    for _ in 0..<10_000 {
      let now = all
      if now.count >= count { return now }
      try? await Task.sleep(for: .milliseconds(1))
    }
    return all
  }
}

/// State without a lock on the loop's thread.
actor Pinned {
  let loop: Reactor
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  private var ticks = 0

  init(_ loop: Reactor) { self.loop = loop }

  func isOnLoop() -> Bool { loop.isOnLoop }
  func count() -> Int { ticks }

  /// `times` timers one after the other; each handler enters the actor without a hop.
  func tick(times: Int) {
    guard times > 0 else { return }
    _ = loop.at(loop.now + .milliseconds(1)) { [self] _ in
      assumeIsolated { pinned in
        pinned.ticks += 1
        pinned.tick(times: times - 1)
      }
    }
  }
}

@Suite(.timeLimit(.minutes(5))) struct ReactorTests {
  @Test func `timers fire in the order of their deadlines, equal ones in the order in which they were set`()
    async throws
  {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let fired = Record<String>()
    loop.enqueue {
      let start = loop.now
      for (name, delay) in [("c", 30), ("a", 10), ("b", 20), ("b2", 20), ("past", -5)] {
        _ = loop.at(start + .milliseconds(delay)) { now in
          #expect(now >= start + .milliseconds(delay))
          fired.add(name)
        }
      }
    }
    #expect(await fired.wait(for: 5) == ["past", "a", "b", "b2", "c"])
  }

  @Test func `a cancelled timer never fires, one that fired or was cancelled is ignored`() async throws {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let fired = Record<String>()
    loop.enqueue {
      let start = loop.now
      let cancelled = loop.at(start + .milliseconds(5)) { _ in fired.add("cancelled") }
      let victim = loop.at(start + .milliseconds(10)) { _ in fired.add("victim") }
      // Due in the same turn, before the timer that it cancels.
      let killer = loop.at(start + .milliseconds(9)) { _ in loop.cancel(victim) }
      loop.cancel(cancelled)
      loop.cancel(cancelled)
      usleep(12_000)
      _ = loop.at(start + .milliseconds(20)) { _ in
        loop.cancel(killer)
        fired.add("end")
      }
    }
    #expect(await fired.wait(for: 1) == ["end"])
  }

  @Test func `a timer that sets itself for now does not hold the loop`() async throws {
    let loop = try Reactor(name: "test")
    let turns = Record<Int>()
    @Sendable func again() {
      _ = loop.at(loop.now) { _ in
        turns.add(1); again()
      }
    }
    loop.enqueue { again() }
    let ran = Record<Int>()
    loop.enqueue { ran.add(1) }
    #expect(await ran.wait(for: 1) == [1])
    loop.stop()
  }

  @Test func `an actor that is pinned to the loop runs on its thread, from tasks and from timers`() async throws {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let pinned = Pinned(loop)
    #expect(await pinned.isOnLoop())
    #expect(!loop.isOnLoop)
    await pinned.tick(times: 20)
    while await pinned.count() < 20 { try await Task.sleep(for: .milliseconds(2)) }
    #expect(await pinned.count() == 20)
  }

  @Test func `what many threads enqueue runs once, in each thread's order`() async throws {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let ran = Record<(Int, Int)>()
    await withTaskGroup(of: Void.self) { group in
      for sender in 0..<8 {
        group.addTask { for number in 0..<1_000 { loop.enqueue { ran.add((sender, number)) } } }
      }
    }
    let all = await ran.wait(for: 8_000)
    for sender in 0..<8 { #expect(all.filter { $0.0 == sender }.map(\.1) == Array(0..<1_000)) }
  }

  @Test func `a watched pipe is reported readable while it holds data, and not after unwatch`() async throws {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let (reader, writer) = try openPipe()
    defer { for end in [reader, writer] { close(end) } }
    let seen = Record<Readiness>()
    loop.enqueue {
      do throws(SystemCallFailure) {
        try loop.watch(reader, for: .readable) { readiness in
          var byte: UInt8 = 0
          _ = read(reader, &byte, 1)
          seen.add(readiness)
          if seen.all.count == 3 { loop.unwatch(reader) }
        }
      } catch { Issue.record(error) }
    }
    #expect(write(writer, "abcde", 5) == 5)
    #expect(await seen.wait(for: 3) == [.readable, .readable, .readable])
    try await Task.sleep(for: .milliseconds(20))
    #expect(seen.all.count == 3)
  }

  @Test func `a descriptor that has patience is read once a tick, however often it is ready`() async throws {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let (reader, writer) = try openPipe()
    defer { for end in [reader, writer] { close(end) } }
    let seen = Record<Instant>()
    loop.enqueue {
      do throws(SystemCallFailure) {
        try loop.watch(reader, for: .readable, .aWhile) { _ in
          var bytes = [UInt8](repeating: 0, count: 4_096)
          _ = read(reader, &bytes, bytes.count)
          seen.add(loop.now)
        }
      } catch { Issue.record(error) }
    }
    let begun = loop.now
    // A busy machine may keep every writer waiting for that long.
    while loop.now < begun + .milliseconds(20) || seen.all.count < 2 { _ = write(writer, "a", 1) }
    let all = seen.all
    let ticks = Set(all.map { $0.nanoseconds / 500_000 })
    #expect(all.count >= 2)
    #expect(ticks.count >= all.count - 1, "one may end in the tick after its own")
  }

  @Test func `what has patience is read before a timer that is due meanwhile`() async throws {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let (reader, writer) = try openPipe()
    defer { for end in [reader, writer] { close(end) } }
    let seen = Record<String>()
    loop.enqueue {
      do throws(SystemCallFailure) {
        try loop.watch(reader, for: .readable, .aWhile) { _ in
          var byte: UInt8 = 0
          _ = read(reader, &byte, 1)
          seen.add("answer")
          guard seen.all.count == 1 else { return }
          _ = write(writer, "b", 1)
          loop.enqueue {
            _ = loop.at(loop.now) { _ in seen.add("timer") }
            // The next turn begins at once, in the same tick.
            loop.enqueue {}
          }
        }
      } catch { Issue.record(error) }
    }
    #expect(write(writer, "a", 1) == 1)
    #expect(await seen.wait(for: 3) == ["answer", "answer", "timer"])
  }

  @Test func `watching a closed descriptor is refused with the kernel's error`() async throws {
    let loop = try Reactor(name: "test")
    defer { loop.stop() }
    let failures = Record<SystemCallFailure>()
    loop.enqueue {
      do throws(SystemCallFailure) { try loop.watch(9_999, for: .readable) { _ in } } catch { failures.add(error) }
    }
    let failure = try #require(await failures.wait(for: 1).first)
    #expect(failure.errno == EBADF)
    #expect(failure.description == "watch descriptor 9999: Bad file descriptor")
  }
}

@Suite struct TimerHeapTests {
  @Test func `ten thousand timers, a third of them cancelled, come out sorted`() {
    var heap = TimerHeap()
    var random = SystemRandomNumberGenerator()
    let out = Record<Int64>()
    var expected: [Int64] = []
    for index in 0..<10_000 {
      let deadline = Int64.random(in: 1...1_000, using: &random)
      let timer = heap.set(Instant(nanoseconds: deadline)) { _ in out.add(deadline) }
      if index % 3 == 0 { heap.cancel(timer) } else { expected.append(deadline) }
    }
    #expect(heap.count == expected.count)
    let end = Instant(nanoseconds: 2_000)
    while let body = heap.takeDue(end, before: heap.limit) { body(end) }
    #expect(out.all == expected.sorted())
    #expect(heap.count == 0)
    #expect(heap.nextDeadline() == nil)
  }
}

/// For the caller to close.
private func openPipe() throws -> (reader: Int32, writer: Int32) {
  var ends: [Int32] = [0, 0]
  try #require(pipe(&ends) == 0)
  return (ends[0], ends[1])
}
