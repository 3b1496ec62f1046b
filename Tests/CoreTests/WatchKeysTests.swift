internal import RuleSets
import Testing

@testable import Core

/// How a tunnel's keys affect the verdict on its path: with probes they hurry it, without probes they are the only
/// evidence.
@Suite struct WatchKeysTests {
  private func name(_ text: String) throws -> Name { try #require(Name(text)) }

  /// Both paths have keys and answer; traffic goes by `a`.
  private func running(probed: Bool = true, fallback: Egress.Fallback = .localWAN) throws -> WatchBench {
    let bench = try WatchBench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try bench.watch.watch(
      try bench.plan(fallback: fallback, secured: true, probed: probed), links: bench.links, generation: 0)
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .up) }
    bench.loop.advance(by: .milliseconds(1_010))
    #expect(bench.goesBy(bench.a))
    return bench
  }

  private func health(_ path: String, _ bench: WatchBench) throws -> PathHealth {
    try #require(bench.watch.snapshot().health[try name(path)])
  }

  @Test func aWordMakesTheTunnelsProbesDueAtOnceAndNoOthers() throws {
    let bench = try running()
    let before = bench.prober.probesSent.count
    bench.watch.keysChanged(of: try name("a"), .down("the hub ended it"))
    bench.loop.advance(by: .zero)
    let new = bench.prober.probesSent.dropFirst(before)
    #expect(new.map(\.device) == [bench.a])
    #expect(bench.goesBy(bench.a), "the verdict stays with the probes, and they are answered")
    #expect(try health("a", bench).state == .up)
  }

  @Test func whatHasNoKeysIsNotPrompted() throws {
    let bench = try WatchBench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .milliseconds(1_010))
    let before = bench.prober.probesSent.count
    bench.watch.keysChanged(of: try name("a"), .down("another tunnel of this name, once"))
    bench.loop.advance(by: .zero)
    #expect(bench.prober.probesSent.count == before)
    #expect(try health("a", bench).state == .up)
  }

  @Test func wordsThatComeInAFloodMakeNoFloodOfProbes() throws {
    let bench = try running()
    let before = bench.prober.probesSent.count
    for _ in 0..<1_000 {
      bench.watch.keysChanged(of: try name("a"), .down("one"))
      bench.watch.keysChanged(of: try name("a"), .up)
      bench.loop.advance(by: .microseconds(100))
    }
    #expect(bench.prober.probesSent.dropFirst(before).filter { $0.device == bench.a }.count <= 6, "in 100 ms")
  }

  @Test func aProbeBeforeItsTurnFindsADeadPathSooner() throws {
    let prompted = try running()
    prompted.prober.set(prompted.a, .silent)
    prompted.watch.keysChanged(of: try name("a"), .down("the hub ended it"))
    prompted.loop.advance(by: .milliseconds(75))
    #expect(prompted.goesBy(prompted.b))
    let left = try running()
    left.prober.set(left.a, .silent)
    left.loop.advance(by: .milliseconds(75))
    #expect(left.goesBy(left.a))
  }

  @Test(
    "the cause of a dead path says what is known about its keys",
    arguments: [
      (IKENews.Word.up, "; the SA is up, so the data plane is dead"),
      (.down("the hub refused"), "; no SA: the hub refused"), (.unknown, "; charon does not answer"),
      (.pending, "; no SA yet"),
    ])
  func cause(_ word: IKENews.Word, _ remark: String) throws {
    let bench = try running()
    bench.prober.set(bench.a, .silent)
    bench.watch.keysChanged(of: try name("a"), word)
    bench.loop.advance(by: .milliseconds(500))
    let health = try health("a", bench)
    #expect(health.state == .down)
    #expect(health.cause.hasSuffix(remark), "\(health.cause)")
    let event = try #require(bench.events.all.first { $0.kind == .pathDown })
    #expect(event.text.hasSuffix(remark), "\(event.text)")
  }

  // MARK: The first keys

  /// Probes are lost from the start, since there are no keys yet.
  private func starting(_ fallback: Egress.Fallback = .localWAN) throws -> WatchBench {
    let bench = try WatchBench()
    try bench.watch.watch(try bench.plan(fallback: fallback, secured: true), links: bench.links, generation: 0)
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .pending) }
    bench.loop.advance(by: .seconds(2))
    return bench
  }

  @Test func whatIsLostBeforeTheFirstKeysIsNoEvidence() throws {
    let bench = try starting()
    #expect(bench.flipper.active.isEmpty, "a router that boots does not flip to the WAN and back")
    #expect(try health("a", bench).state == .unknown)
    #expect(try health("a", bench).cause == "no SA yet")
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.watch.keysChanged(of: try name("a"), .up)
    bench.loop.advance(by: .milliseconds(5))
    #expect(bench.goesBy(bench.a), "the first answer is enough")
    #expect(bench.events.all.map(\.kind) == [.pathUp, .initial])
  }

  @Test func aHubThatRefusesAtTheStartIsAVerdictAtOnce() throws {
    let bench = try starting()
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .down("the hub refused")) }
    #expect(bench.goesBy(bench.wan))
    #expect(try health("a", bench).cause.hasSuffix("; no SA: the hub refused"))
  }

  @Test func firstKeysWithADeadDataPlaneAreLostProbesAndThenAVerdict() throws {
    let bench = try starting(.block)
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .up) }
    #expect(try health("a", bench).state == .unknown)
    bench.loop.advance(by: .milliseconds(400))
    let health = try health("a", bench)
    #expect(health.state == .down)
    #expect(health.cause.hasSuffix("; the SA is up, so the data plane is dead"))
  }

  @Test func aCharonThatIsAbsentAtTheStartLeavesTheVerdictToTheProbes() throws {
    let bench = try starting()
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .unknown) }
    #expect(bench.goesBy(bench.wan))
  }

  @Test func probesThatCannotBeSentAreNoEvidenceEitherBeforeTheFirstKeys() throws {
    let bench = try WatchBench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .cannotSend("no policy")) }
    try bench.watch.watch(try bench.plan(secured: true), links: bench.links, generation: 0)
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .pending) }
    bench.loop.advance(by: .seconds(2))
    #expect(bench.flipper.active.isEmpty)
  }

  @Test func aPathThatCarriedIsJudgedByItsProbesWhileNewKeysAreMade() throws {
    let bench = try running()
    for word in [IKENews.Word.unknown, .pending] { bench.watch.keysChanged(of: try name("a"), word) }
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .milliseconds(500))
    #expect(bench.goesBy(bench.b))
  }

  @Test func theCauseFollowsTheKeysWhileThePathIsDown() throws {
    let bench = try running()
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .milliseconds(500))
    bench.watch.keysChanged(of: try name("a"), .down("the hub does not answer"))
    #expect(try health("a", bench).cause.hasSuffix("; no SA: the hub does not answer"))
    bench.watch.keysChanged(of: try name("a"), .up)
    #expect(try health("a", bench).cause.hasSuffix("; the SA is up, so the data plane is dead"))
    #expect(bench.events.count(.pathDown) == 1, "one verdict, one event")
  }

  // MARK: Without probes

  @Test func aPathWithoutProbesFollowsTheSA() throws {
    let bench = try running(probed: false)
    bench.watch.keysChanged(of: try name("a"), .down("the hub refused"))
    #expect(bench.goesBy(bench.b), "without a moment passing")
    #expect(try health("a", bench).cause == "no SA: the hub refused")
    bench.watch.keysChanged(of: try name("a"), .up)
    bench.loop.advance(by: .seconds(6))
    #expect(bench.goesBy(bench.a), "after the hold-down")
  }

  @Test func aPathWithoutProbesIsNotUpBeforeItsSA() throws {
    let bench = try WatchBench()
    try bench.watch.watch(try bench.plan(secured: true, probed: false), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(60))
    #expect(bench.flipper.active.isEmpty, "not before a verdict")
    bench.watch.keysChanged(of: try name("a"), .pending)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.flipper.active.isEmpty)
    bench.watch.keysChanged(of: try name("a"), .up)
    #expect(bench.goesBy(bench.a))
    #expect(bench.events.count(.pathDown) == 0)
  }

  @Test func aPathWithoutProbesWhoseHubIsSilentAtTheStartIsNotWaitedFor() throws {
    let bench = try WatchBench()
    try bench.watch.watch(try bench.plan(secured: true, probed: false), links: bench.links, generation: 0)
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .down("the hub does not answer")) }
    #expect(bench.goesBy(bench.wan))
  }

  @Test func whereCharonIsAbsentAtTheStartTheFallbackIsTaken() throws {
    let bench = try WatchBench()
    try bench.watch.watch(try bench.plan(secured: true, probed: false), links: bench.links, generation: 0)
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .unknown) }
    #expect(bench.goesBy(bench.wan), "nobody knows when it will be there")
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .up) }
    bench.loop.advance(by: .seconds(6))
    #expect(bench.goesBy(bench.a))
  }

  @Test func aCharonThatGoesTakesNoPathAlongAndBringsNoneBack() throws {
    let bench = try running(probed: false)
    bench.watch.keysChanged(of: try name("b"), .down("the hub refused"))
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .unknown) }
    bench.loop.advance(by: .seconds(60))
    #expect(bench.goesBy(bench.a), "the kernel's SAs go on")
    #expect(try health("b", bench).state == .unknown, "which is no way for traffic")
    bench.watch.linkChanged(bench.a, nil)
    #expect(bench.goesBy(bench.wan), "and not by b")
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .pending) }
    bench.watch.keysChanged(of: try name("b"), .up)
    bench.loop.advance(by: .seconds(6))
    #expect(bench.goesBy(bench.b))
    #expect(try health("b", bench).state == .up)
  }

  @Test func aRestartWithCharonAbsentStaysWhereItIs() throws {
    let bench = try WatchBench()
    bench.flipper.active = [bench.table: .out(device: bench.a, gateway: nil)]
    try bench.watch.watch(try bench.plan(secured: true, probed: false), links: bench.links, generation: 0)
    for path in ["a", "b"] { bench.watch.keysChanged(of: try name(path), .unknown) }
    bench.loop.advance(by: .seconds(60))
    #expect(bench.flipper.log.isEmpty)
  }

  @Test func aTunnelThatIsGoneIsForgotten() throws {
    let bench = try running()
    bench.prober.set(bench.a, .silent)
    bench.watch.keysChanged(of: try name("a"), .down("the hub refused"))
    bench.loop.advance(by: .seconds(1))
    bench.watch.keysChanged(of: try name("a"), nil)
    #expect(try health("a", bench).cause.hasSuffix("(no answer in 80 ms)"), "nothing is said of its keys")
  }
}
