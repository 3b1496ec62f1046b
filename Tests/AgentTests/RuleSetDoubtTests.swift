import Core
internal import RuleSets
import Testing

@testable import Agent

/// What was stored is damaged, lost or unfit.
@Suite struct RuleSetDoubtTests {
  private func stored(_ bytes: [UInt8], slots: SlotBook = SlotBook()) -> StoredRuleSet {
    StoredRuleSet(bytes: bytes, etag: nil, slots: slots)
  }

  @Test func whatIsLostHoldsEverythingUntilTheSourceGivesARuleSet() async throws {
    let bench = try RuleSetBench(MemoryStore(failing: true))
    await bench.keeper.startFromStore()
    #expect(bench.applier.held == [.everything])
    #expect(await bench.keeper.status.hold?.word == .everything)
    bench.source.next(.failure(FetchFailure(operation: "GET", cause: "500")))
    _ = await bench.keeper.pull()
    #expect(await bench.keeper.status.hold != nil)
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    #expect(await bench.keeper.status.hold == nil)
    #expect(bench.events.all.first { $0.kind == .stateDamaged }?.text.contains("set aside") == true)
  }

  @Test func aSettingLetsItGoAndSaysSo() async throws {
    let bench = try RuleSetBench(MemoryStore(failing: true), whenInDoubt: .open)
    await bench.keeper.startFromStore()
    #expect(bench.applier.held.isEmpty)
    #expect(bench.events.all.last?.text.contains("guard.when_in_doubt") == true)
  }

  @Test func aRouterThatNeverHadARuleSetHoldsNothing() async throws {
    let bench = try RuleSetBench()
    await bench.keeper.startFromStore()
    #expect(bench.applier.held.isEmpty && bench.events.all.isEmpty)
  }

  private func leftovers() throws -> Leftovers {
    let rule = RoutingRule(priority: RulePriority(9_220), action: .unreachable)
    return try #require(Leftovers(in: ActualState(rules: [rule]), besides: DesiredState()))
  }

  @Test func whatAnEarlierAgentLeftInTheKernelIsReportedAndLeft() async throws {
    let bench = try RuleSetBench()
    bench.applier.leave(try leftovers())
    await bench.keeper.startFromStore()
    #expect(bench.applier.held.isEmpty)
    #expect(await bench.keeper.status.hold?.word == .leftOver)
    #expect(await bench.keeper.status.hold?.cause.contains("1 ip rule ") == true)
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    #expect(await bench.keeper.status.hold == nil)
  }

  @Test func whatHoldsEverythingIsNotAddedBesideAnEarlierAgentsTable() async throws {
    for hasTable in [false, true] {
      let bench = try RuleSetBench(MemoryStore(failing: true))
      var left = try leftovers()
      left.hasTable = hasTable
      bench.applier.leave(left)
      await bench.keeper.startFromStore()
      #expect(await bench.keeper.status.hold?.word == (hasTable ? .leftOver : .everything))
    }
  }

  @Test func theOtherCopyRunsAndBothAreWrittenAgain() async throws {
    let bench = try RuleSetBench(MemoryStore(stored(RuleSetBench.document(7)), halfDamaged: true))
    await bench.keeper.startFromStore()
    #expect(bench.applier.revisions == [7] && bench.applier.held.isEmpty)
    #expect(bench.store.saved == 1)
    #expect(bench.events.count(.stateDamaged) == 1)
  }

  @Test func strictRulesOfWhatDoesNotFitAnyMoreAreHeld() async throws {
    let bench = try RuleSetBench(MemoryStore(stored(RuleSetBench.document(7, device: "branch-018"))))
    await bench.keeper.startFromStore()
    #expect(bench.applier.revisions.isEmpty)
    guard case .strictRules(let ruleSet, _)? = bench.applier.held.first else {
      Issue.record("held: \(bench.applier.held)")
      return
    }
    #expect(ruleSet.revision == 7)
    #expect(await bench.keeper.status.hold?.cause.contains("branch-017") == true)
  }

  @Test func whatCannotBeReadAnyMoreHoldsEverything() async throws {
    let bench = try RuleSetBench(MemoryStore(stored(Array("{}".utf8))))
    await bench.keeper.startFromStore()
    #expect(bench.applier.held == [.everything])
  }

  @Test func aFullDiskIsReportedOnceAndTriedAgain() async throws {
    let bench = try RuleSetBench(MemoryStore(full: true))
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
    #expect(await bench.keeper.status.storeTrouble?.contains("No space left") == true)
    await bench.keeper.saveAtLast()
    #expect(bench.events.count(.storeFailed) == 1)
    bench.store.makeRoom()
    await bench.keeper.saveAtLast()
    #expect(await bench.keeper.status.storeTrouble == nil)
    #expect(bench.store.stored?.bytes == RuleSetBench.document(1))
  }

  /// Live flows carry marks, so if the book is lost, the kernel is asked.
  @Test func aLostBookIsReadBackFromTheKernel() async throws {
    let wan = SlotBook.Owner.uplink(try #require(InterfaceName("wan0")))
    let bench = try RuleSetBench(
      MemoryStore(failing: true), applier: ScriptedApplier(SlotBook([wan: try #require(Slot(9))])))
    await bench.keeper.startFromStore()
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.store.stored?.slots[wan] == Slot(9))
    bench.answer(RuleSetBench.document(2))
    _ = await bench.keeper.pull()
    #expect(bench.applier.askedForSlots == 1)
  }
}

/// An operator permits a lower revision.
@Suite struct RevisionPermitTests {
  private static let last = (1 << 53) - 1

  @Test func theLastRevisionDoesNotLockOutLaterOnes() async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(Self.last))
    _ = await bench.keeper.pull()
    bench.answer(RuleSetBench.document(43))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [UInt64(Self.last)])
    #expect(bench.events.all.last?.text.contains("backhaul accept-revision 43") == true)
    #expect(await bench.keeper.permit(43, by: 0) == nil)
    #expect(bench.permits.permit?.revision == 43)
    bench.answer(RuleSetBench.document(42))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.last == UInt64(Self.last), "42 is lower than what was said")
    bench.answer(RuleSetBench.document(44))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.last == 44)
    #expect(bench.permits.permit == nil, "used up")
    bench.answer(RuleSetBench.document(43))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.last == 44)
    #expect(bench.events.count(.revisionPermitted) == 2)
  }

  @Test func otherContentOfTheSameRevisionToo() async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(5))
    _ = await bench.keeper.pull()
    _ = await bench.keeper.permit(5, by: 0)
    bench.answer(RuleSetBench.document(5, direct: "10.0.0.0/8"))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5, 5])
  }

  @Test func itOutlastsARestartAndTheCacheDoesNotUseItUp() async throws {
    let permit = RevisionPermit(revision: 3, user: 0, since: WallTime(milliseconds: 0))
    let stored = StoredRuleSet(bytes: RuleSetBench.document(9), etag: nil, slots: SlotBook())
    let bench = try RuleSetBench(MemoryStore(stored), permits: MemoryPermits(permit))
    await bench.keeper.startFromStore()
    #expect(await bench.keeper.permittedRevision == 3)
    bench.answer(RuleSetBench.document(3))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [9, 3])
    #expect(await bench.keeper.permittedRevision == nil)
  }

  @Test func aHigherOneUsesItUpAndItCanBeTakenBack() async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(5))
    _ = await bench.keeper.pull()
    _ = await bench.keeper.permit(3, by: 0)
    bench.answer(RuleSetBench.document(6))
    _ = await bench.keeper.pull()
    bench.answer(RuleSetBench.document(4))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5, 6])
    _ = await bench.keeper.permit(3, by: 0)
    _ = await bench.keeper.permit(nil, by: 0)
    bench.answer(RuleSetBench.document(4))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5, 6])
  }

  @Test func aDamagedWordAcceptsNothing() async throws {
    let bench = try RuleSetBench(permits: MemoryPermits(damaged: true))
    await bench.keeper.startFromStore()
    #expect(await bench.keeper.permittedRevision == nil)
    #expect(bench.events.count(.stateDamaged) == 1)
  }
}
