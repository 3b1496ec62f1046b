import Core
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

@Suite("A rule set on trial") struct RuleSetTrialKeeperTests {
  private func begun(_ disk: FakeDisk = TrialBench.disk) async throws -> TrialBench {
    let bench = try TrialBench(disk)
    await bench.keeper.startFromStore()
    return bench
  }

  private func generation(_ disk: FakeDisk) -> [UInt8]? { disk.generations.current?.bytes }

  @Test("is confirmed when its source, which is asked soon, answers again")
  func confirmed() async throws {
    let bench = try await begun()
    let wait = await bench.gives(8)
    #expect(wait <= .seconds(3))
    guard case .onTrial(let probation)? = await bench.keeper.status.trial else {
      Issue.record("not on trial")
      return
    }
    #expect(probation.candidate.revision == 8 && probation.returnsTo == 7)
    #expect(bench.disk.load().stored?.bytes == RuleSetBench.document(7), "not the confirmed one yet")
    await bench.answers()
    #expect(await bench.keeper.status.trial == nil)
    #expect(await bench.keeper.status.confirmedRevision == 8)
    #expect(bench.disk.load().stored?.bytes == RuleSetBench.document(8))
    #expect(bench.disk.state.withLock { $0.note == nil && $0.candidate == nil })
    #expect(bench.events.count(.ruleSetOnTrial) == 1 && bench.events.count(.ruleSetConfirmed) == 1)
  }

  @Test("is rolled back when its source stays silent, and not tried again")
  func rolledBack() async throws {
    let bench = try await begun()
    _ = await bench.gives(8)
    await bench.pass(.seconds(599))
    await bench.isSilent()
    #expect(await bench.revision == 8)
    await bench.pass(.seconds(2))
    #expect(await bench.revision == 7)
    #expect(bench.applier.revisions == [7, 8, 7])
    #expect(bench.events.all.last { $0.kind == .ruleSetRolledBack }?.text.contains("revision 7 is running") == true)
    _ = await bench.gives(8)
    #expect(bench.applier.revisions == [7, 8, 7])
    #expect(await bench.keeper.status.lastTrouble?.contains("was rolled back") == true)
    // A restart knows it too.
    let next = try await begun(bench.disk)
    _ = await next.gives(8)
    #expect(next.applier.revisions == [7])
    _ = await next.gives(9)
    #expect(next.applier.revisions == [7, 9], "another one is taken")
  }

  @Test("is tried again if its source stays silent after the rollback")
  func inconclusive() async throws {
    let bench = try await begun()
    _ = await bench.gives(8)
    await bench.pass(.seconds(601))
    #expect(await bench.revision == 7)
    await bench.pass(.seconds(121))
    _ = await bench.gives(8)
    #expect(await bench.revision == 8)
    await bench.answers()
    #expect(await bench.keeper.status.confirmedRevision == 8)
  }

  @Test("goes on after a restart, with the time that was left")
  func restarted() async throws {
    var bench = try await begun()
    _ = await bench.gives(8)
    for passed in [300, 200] {
      await bench.pass(.seconds(passed))
      bench = try await begun(bench.disk)
      #expect(await bench.revision == 8)
    }
    await bench.pass(.seconds(120))
    #expect(await bench.revision == 7)
  }

  @Test("does not outlast an agent that starts again and again")
  func startsTooOften() async throws {
    var bench = try await begun()
    _ = await bench.gives(8)
    for _ in 0..<3 {
      bench = try await begun(bench.disk)
      #expect(await bench.revision == 8)
    }
    bench = try await begun(bench.disk)
    #expect(await bench.revision == 7)
  }

  @Test("stays if the one before it cannot be restored")
  func notReturned() async throws {
    let bench = try await begun()
    _ = await bench.gives(8)
    bench.applier.refuse(7)
    for _ in 0..<4 { await bench.pass(.seconds(601)) }
    #expect(await bench.revision == 8)
    #expect(bench.disk.load().stored?.bytes == RuleSetBench.document(8))
  }

  @Test("goes back to the confirmed one, although the kernel had not taken that one yet")
  func overOneThatWaits() async throws {
    let bench = try TrialBench(TrialBench.disk)
    bench.applier.refuse(7)
    await bench.keeper.startFromStore()
    #expect(await bench.revision == nil)
    _ = await bench.gives(8)
    guard case .onTrial(let probation)? = await bench.keeper.status.trial else {
      Issue.record("not on trial")
      return
    }
    #expect(probation.returnsTo == 7)
    #expect(bench.disk.load().stored?.bytes == RuleSetBench.document(7))
    bench.applier.refuse(nil)
    await bench.pass(.seconds(601))
    #expect(await bench.revision == 7)
  }

  @Test("is not confirmed by an answer that is no rule set, as a captive portal gives one")
  func captivePortal() async throws {
    let bench = try await begun()
    _ = await bench.gives(8)
    for text in ["<html>Welcome</html>", "{}"] {
      bench.source.next(.success(.document(bytes: Array(text.utf8), etag: nil)))
      _ = await bench.keeper.pull()
      #expect(await bench.keeper.status.trial != nil)
    }
    await bench.pass(.seconds(601))
    #expect(await bench.revision == 7)
  }

  @Test("does not use up a permission that was given after it was accepted")
  func permissionDuringTrial() async throws {
    let bench = try await begun()
    _ = await bench.gives(8)
    _ = await bench.keeper.permit(5, by: 0)
    await bench.answers()
    #expect(await bench.keeper.status.confirmedRevision == 8)
    #expect(await bench.keeper.permittedRevision == 5)
    _ = await bench.gives(6)
    await bench.answers()
    #expect(await bench.keeper.status.confirmedRevision == 6)
    #expect(await bench.keeper.permittedRevision == nil)
  }

  @Test("tells if a restart would not know how far it has come")
  func noteIsNotSaved() async throws {
    let bench = try await begun()
    _ = await bench.gives(8)
    bench.disk.alter { $0.isFull = true }
    await bench.pass(.seconds(100))
    #expect(await bench.keeper.status.trialTrouble != nil)
    bench.disk.alter { $0.isFull = false }
    await bench.pass(.seconds(100))
    #expect(await bench.keeper.status.trialTrouble == nil)
  }

  @Test("is confirmed at once if it is the first one, with nothing to go back to")
  func first() async throws {
    let bench = try await begun(FakeDisk(nil))
    _ = await bench.gives(8)
    #expect(await bench.keeper.status.trial == nil)
    #expect(bench.disk.load().stored?.bytes == RuleSetBench.document(8))
  }

  @Test("runs despite a full disk, is rolled back, and is saved once there is room")
  func fullDisk() async throws {
    let bench = try await begun()
    bench.disk.alter { $0.isFull = true }
    _ = await bench.gives(8)
    #expect(await bench.revision == 8)
    #expect(generation(bench.disk) == RuleSetBench.document(7))
    await bench.pass(.seconds(601))
    #expect(await bench.revision == 7)
    _ = await bench.gives(9)
    await bench.answers()
    #expect(await bench.keeper.status.storeTrouble != nil)
    bench.disk.alter { $0.isFull = false }
    await bench.keeper.saveAtLast()
    #expect(await bench.keeper.status.storeTrouble == nil)
    #expect(generation(bench.disk) == RuleSetBench.document(9))
  }

  /// Every history, with the agent killed before each of its writes: the guard and the next agent use the same complete
  /// generation, and the next agent ends up with the source's rule set, or knows why not.
  @Test("leaves a working generation even if the agent is killed before any of its writes", arguments: [false, true])
  func everyCrashPoint(isRolledBack: Bool) async throws {
    func live(_ bench: TrialBench) async {
      await bench.keeper.startFromStore()
      _ = await bench.gives(8)
      if isRolledBack {
        await bench.pass(.seconds(301))
        await bench.pass(.seconds(301))
      }
      await bench.answers()
    }
    let whole = TrialBench.disk
    await live(try TrialBench(whole))
    #expect(whole.writes > 3)
    for point in 0...whole.writes {
      let disk = TrialBench.disk
      disk.alter { $0.writesLeft = point }
      await live(try TrialBench(disk))
      disk.alter { $0.writesLeft = nil }
      let guarded = generation(disk)
      #expect(guarded == RuleSetBench.document(7) || guarded == RuleSetBench.document(8), "before write \(point)")
      let next = try await begun(disk)
      #expect(next.applier.revisions.first == (guarded == RuleSetBench.document(7) ? 7 : 8), "before write \(point)")
      _ = await next.gives(8)
      await next.answers()
      let refused = await next.keeper.status.lastTrouble != nil
      let standing = await next.keeper.status.trial
      #expect(await next.revision == 8 || refused || standing != nil, "before write \(point)")
      #expect(disk.load().stored != nil, "before write \(point)")
    }
  }
}
