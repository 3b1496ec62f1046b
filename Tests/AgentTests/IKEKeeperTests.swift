import Core
import Fakes
internal import RuleSets
import Testing

@testable import Agent

/// What charon is asked for, when, and which events report it.
@Suite(.timeLimit(.minutes(5))) struct IKEKeeperTests {
  private func name(_ text: String) throws -> Name { try #require(Name(text)) }

  // MARK: Start and end

  @Test func coldStart() async throws {
    try await IKEBench.run { bench in
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(1))
      #expect(await bench.steps == ["load fra-a", "initiate fra-a"])
      #expect(bench.said == ["fra-a pending", "fra-a up"])
      #expect(
        bench.texts() == [
          "fake 0 answers; loading the tunnels' connections", "tunnel fra-a: SAs are up: AES_GCM_16-256",
        ])
      let esp = try #require(ESPTransform(encryption: "AES_GCM_16", keyBits: 256))
      #expect(bench.costsTold == [[try name("fra-a"): ESPEncapsulation(esp, isInUDP: false)]])
      #expect(await bench.keeper.status == .init(isNeeded: true, version: "fake 0", trouble: nil))
      await bench.forget()
      await bench.time.pass(.seconds(600))
      #expect(await bench.steps == [], "and then nothing more is done")
      #expect(bench.said == [])
      #expect(bench.texts() == [])
    }
  }

  @Test func whereNoTunnelNeedsCharonItIsLeftAlone() async throws {
    try await IKEBench.run { bench in
      await bench.want()
      await bench.keeper.reload()
      _ = await bench.keeper.current()
      await bench.time.pass(.seconds(3_600))
      #expect(await bench.charon.calls == 0)
      #expect(await bench.charon.connects == 0)
      #expect(await bench.keeper.status == .init())
      #expect(bench.texts() == [])
    }
  }

  @Test func charonThatIsAbsentIsWaitedFor() async throws {
    try await IKEBench.run(charonRuns: false) { bench in
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(120))
      #expect(bench.said == ["fra-a unknown"])
      #expect(
        bench.texts() == [
          "connect to charon: nobody answers; the agent keeps asking, and no new keys are made until it answers"
        ], "told once")
      // After 0.2, 0.4, 0.8, 1.6, 3.2 s, and every 5 s from then on.
      #expect(await bench.charon.connects == 1 + 5 + 22)
      await bench.charon.start()
      await bench.time.pass(.seconds(6))
      #expect(await bench.steps == ["load fra-a", "initiate fra-a"])
      #expect(bench.said == ["fra-a unknown", "fra-a pending", "fra-a up"])
      #expect(bench.events.count(.charonUp) == 1)
    }
  }

  @Test func aRestartOfTheAgentChangesNothing() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      let long = bench.time.now
      await bench.time.pass(.seconds(600))
      await bench.charon.put(
        TunnelAssociations(
          ike: IKEAssociation(number: 7, state: .established, local: IPv4Address("192.0.2.2")),
          child: ChildAssociation(number: 8, state: .installed, mode: "tunnel", installed: long)), for: tunnel)
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(60))
      #expect(await bench.steps == ["load fra-a"])
      #expect(await bench.charon.associations(now: tunnel)?.child?.number == 8)
      #expect(bench.said == ["fra-a up"])
      #expect(bench.events.count(.saUp) == 0, "nothing came up that had been down")
    }
  }

  @Test func whenCharonComesBackAllIsLoadedAgain() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(
        try IKEBench.connection("b"), try IKEBench.connection("c"), try IKEBench.connection("a"))
      await bench.forget()
      await bench.charon.end()
      await bench.time.pass(.seconds(3))
      #expect(bench.said == ["a unknown", "b unknown", "c unknown"])
      #expect(
        bench.texts() == [
          "charon: closed the connection; SAs that the kernel has stay up, and the agent keeps asking until charon "
            + "answers"
        ])
      #expect(await bench.keeper.status.trouble == "connect to charon: nobody answers")
      await bench.forget()
      await bench.charon.start()
      await bench.time.pass(.seconds(6))
      #expect(
        await bench.steps == ["load a", "initiate a", "load b", "initiate b", "load c", "initiate c"])
      #expect(bench.said.suffix(3) == ["a up", "b up", "c up"])
      #expect(bench.texts(.charonUp).count == 1)
    }
  }

  @Test func aConnectionThatBreaksLosesNoSA() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection())
      await bench.time.pass(.seconds(60))
      await bench.forget()
      await bench.charon.dropSession("charon: broke the protocol")
      await bench.time.pass(.seconds(3))
      #expect(await bench.steps == ["load fra-a"])
      #expect(bench.said == ["fra-a unknown", "fra-a up"])
      #expect(bench.events.count(.saUp) == 0)
    }
  }

  // MARK: Tunnels come and go

  @Test func aTunnelThatGoesIsUnloaded() async throws {
    try await IKEBench.run { bench in
      let (a, b) = (try IKEBench.connection("a"), try IKEBench.connection("b"))
      await bench.bringUp(a, b)
      await bench.forget()
      await bench.want(b)
      #expect(await bench.steps == ["unload a"])
      #expect(bench.said == ["a is no more"])
      #expect(await bench.charon.names == ["backhaul-b"])
      #expect(await bench.charon.associations(now: a.tunnel) == nil)
      await bench.forget()
      await bench.want()
      #expect(await bench.steps == ["unload b"], "the last one too")
      #expect(await !bench.keeper.status.isNeeded)
      await bench.forget()
      await bench.bringUp(a)
      #expect(await bench.steps == ["load a", "initiate a"])
      #expect(bench.said == ["a pending", "a up"])
      #expect(bench.costsTold.last?.keys.sorted() == [a.tunnel], "of tunnels that there are")
    }
  }

  @Test func aTunnelThatGoesWhileCharonIsAwayIsUnloadedWhenItIsBack() async throws {
    try await IKEBench.run { bench in
      let (a, b) = (try IKEBench.connection("a"), try IKEBench.connection("b"))
      await bench.bringUp(a, b)
      await bench.charon.dropSession("charon: broke the protocol")
      await bench.want(b)
      await bench.time.pass(.seconds(3))
      #expect(await bench.charon.names == ["backhaul-b"])
    }
  }

  @Test func foreignConnectionsAreNeverTouchedAndStrangersOfOursGo() async throws {
    try await IKEBench.run { bench in
      let like = try IKEBench.connection("old")
      for foreign in ["site-to-site", "home", "backhaul", "backhaul-", "backhaul-No Name"] {
        await bench.charon.addForeignConnection(foreign, like)
      }
      await bench.charon.addForeignConnection("backhaul-old", like)
      await bench.bringUp(try IKEBench.connection())
      await bench.want(try IKEBench.connection("ams"))
      await bench.time.pass(.seconds(60))
      #expect(
        await bench.charon.names == [
          "site-to-site", "home", "backhaul", "backhaul-", "backhaul-No Name", "backhaul-ams",
        ])
      #expect(
        await bench.steps == [
          "unload old", "load fra-a", "initiate fra-a", "unload fra-a", "load ams", "initiate ams",
        ])
    }
  }

  @Test func tunnelsOfWhichNothingCanBeSaidAreLeftAsTheyAre() async throws {
    try await IKEBench.run { bench in
      let fra = try IKEBench.connection()
      let old = try name("old")
      await bench.charon.addForeignConnection("backhaul-old", try IKEBench.connection("old"))
      await bench.bringUp(fra)
      await bench.charon.addForeignConnection("backhaul-old", try IKEBench.connection("old"))
      await bench.forget()
      await bench.want(held: [fra.tunnel, old])
      await bench.charon.dropAssociations(of: fra.tunnel)
      await bench.keeper.reload()
      await bench.time.pass(.seconds(60))
      #expect(await bench.steps == [])
      #expect(await bench.charon.names == ["backhaul-fra-a", "backhaul-old"])
      #expect(bench.said.map { $0.prefix(10) } == ["fra-a down"])
      await bench.want(fra, held: [old])
      await bench.time.pass(.seconds(2))
      #expect(await bench.steps == ["load fra-a", "initiate fra-a"])
    }
  }

  @Test func aHeldTunnelOfAnEarlierLifeIsNotUnloaded() async throws {
    try await IKEBench.run { bench in
      await bench.charon.addForeignConnection("backhaul-old", try IKEBench.connection("old"))
      await bench.want(held: [try name("old")])
      await bench.time.pass(.seconds(60))
      #expect(await bench.charon.names == ["backhaul-old"])
      #expect(await bench.steps == [])
      await bench.want()
      await bench.time.pass(.seconds(2))
      #expect(await bench.charon.names == [], "until no rule set has it")
    }
  }

  // MARK: New settings

  @Test func anotherAddressOfTheUplink() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection())
      await bench.forget()
      let new = try IKEBench.connection(local: "198.51.100.7")
      await bench.want(new)
      await bench.time.pass(.seconds(2))
      #expect(
        await bench.steps == ["load fra-a", "terminate fra-a", "initiate fra-a"],
        "the new one is there before the old one goes")
      #expect(await bench.charon.associations(now: new.tunnel)?.ike?.local == new.local)
    }
  }

  @Test func reloadedSecretsLeaveTheSAsAlone() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection("a"), try IKEBench.connection("b"))
      await bench.forget()
      await bench.keeper.reload()
      await bench.time.pass(.seconds(60))
      #expect(await bench.steps == ["load a", "load b"])
      #expect(bench.said == [])
      #expect(bench.texts() == [])
    }
  }

  @Test func aSecretThatCannotBeReloadedIsReportedOnceAndTheSAGoesOn() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection())
      await bench.forget()
      await bench.charon.spoil("/secrets/fra", "No such file or directory")
      await bench.keeper.reload()
      await bench.time.pass(.seconds(300))
      #expect(
        bench.texts() == [
          "tunnel fra-a: could not be loaded again, but its SAs stay up: read /secrets/fra: No such file or directory"
        ])
      #expect(bench.said == [])
      let loads = await bench.steps.count
      #expect((10...25).contains(loads), "after longer and longer pauses: \(loads)")
      #expect(await bench.charon.associations(now: try name("fra-a")) != nil)
    }
  }

  // MARK: Troubles

  @Test func aHubThatRefusesIsAskedAgainAndReportedOnce() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      let why = "the hub refused our authentication"
      await bench.charon.set(.refuses(why), for: tunnel)
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(300))
      #expect(bench.texts(.saFailed) == ["tunnel fra-a: no SA, will try again: \(why)"])
      #expect(bench.events.all.last?.details["cause"] == why)
      #expect(bench.said == ["fra-a pending", "fra-a down: \(why)"])
      // Each failure takes a second to notice; then come pauses of 1, 2, 4, 8, 16, 30, 30 … s.
      #expect(await bench.steps.filter { $0 == "initiate fra-a" }.count == 14)
      await bench.charon.set(.accepts, for: tunnel)
      await bench.time.pass(.seconds(31))
      #expect(bench.said.last == "fra-a up")
      await bench.charon.set(.refuses(why), for: tunnel)
      await bench.charon.dropAssociations(of: tunnel)
      await bench.time.pass(.seconds(60))
      #expect(bench.events.count(.saFailed) == 2, "once again, after it was up")
    }
  }

  @Test func theFirstLineOfAFailureIsItsCause() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      await bench.charon.set(.refuses("a certificate is not valid now"), for: tunnel)
      await bench.want(try IKEBench.connection())
      await bench.charon.tell("the hub's certificate comes from no authority that we trust", of: tunnel)
      await bench.time.pass(.milliseconds(100))
      #expect(bench.texts(.saFailed) == ["tunnel fra-a: no SA, will try again: a certificate is not valid now"])
    }
  }

  /// charon sends a request again, and the hub's refusal comes 20 ms later.
  @Test func aHintHidesNoAnswer() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      await bench.charon.set(.silent, for: tunnel)
      await bench.want(try IKEBench.connection())
      for _ in 0..<3 {
        await bench.charon.tell("the hub does not answer", .hint, of: tunnel)
        await bench.time.pass(.milliseconds(20))
        await bench.charon.tell("the hub refused our authentication", of: tunnel)
        await bench.time.pass(.seconds(1))
        #expect(bench.said.last == "fra-a down: the hub refused our authentication")
      }
      #expect(bench.texts(.saFailed) == ["tunnel fra-a: no SA, will try again: the hub refused our authentication"])
    }
  }

  @Test func troublesThatTakeTurnsAreReportedOnceEach() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      await bench.charon.set(.silent, for: tunnel)
      await bench.want(try IKEBench.connection())
      for _ in 0..<50 {
        for trouble in ["the hub does not answer", "the hub accepts none of our proposals"] {
          await bench.charon.tell(trouble, of: tunnel)
          await bench.time.pass(.seconds(10))
        }
      }
      #expect(
        bench.texts(.saFailed) == [
          "tunnel fra-a: no SA, will try again: the hub does not answer",
          "tunnel fra-a: no SA, will try again: the hub accepts none of our proposals",
        ])
    }
  }

  @Test func aSilentHubIsLeftToCharon() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      await bench.charon.set(.silent, for: tunnel)
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(4))
      #expect(bench.said == ["fra-a pending"], "nothing is known yet")
      await bench.charon.tell("the hub does not answer", .hint, of: tunnel)
      await bench.time.pass(.seconds(300))
      #expect(await bench.steps == ["load fra-a", "initiate fra-a"], "it sends again by itself")
      #expect(bench.said == ["fra-a pending", "fra-a down: the hub does not answer"])
      await bench.charon.hubComesBack(for: tunnel)
      await bench.time.pass(.seconds(1))
      #expect(bench.said.last == "fra-a up")
    }
  }

  @Test func aHubThatIsSilentWithoutAWordIsNotWaitedForForEver() async throws {
    try await IKEBench.run { bench in
      await bench.charon.set(.silent, for: try name("fra-a"))
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(7))
      #expect(bench.said == ["fra-a pending", "fra-a down: neither charon nor the hub said why"])
    }
  }

  @Test func anUnexplainedFailureStillCounts() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      await bench.bringUp(try IKEBench.connection())
      await bench.charon.set(.silent, for: tunnel)
      await bench.charon.dropAssociations(of: tunnel)
      await bench.time.pass(.milliseconds(200))
      #expect(bench.said.last == "fra-a down: neither charon nor the hub said why")
      #expect(bench.texts(.saDown) == ["tunnel fra-a: its SAs are gone: neither charon nor the hub said why"])
    }
  }

  @Test func newKeysAreReportedWithoutAnAlarm() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection())
      await bench.forget()
      await bench.charon.rekey(try name("fra-a"))
      await bench.time.pass(.seconds(1))
      #expect(bench.texts() == ["tunnel fra-a: new keys: AES_GCM_16-256"])
      #expect(bench.said == [])
      #expect(await bench.steps == [])
    }
  }

  @Test func anSAThatWentWithoutAWordIsMissedSoon() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection())
      await bench.forget()
      await bench.charon.dropAssociationsSilently(of: try name("fra-a"))
      await bench.time.pass(.seconds(12))
      #expect(await bench.steps == ["initiate fra-a"])
      #expect(bench.texts(.saDown).count == 1)
      #expect(bench.said.last == "fra-a up")
    }
  }

  @Test func whatTheStatusSeesIsFollowed() async throws {
    try await IKEBench.run { bench in
      let tunnel = try name("fra-a")
      await bench.bringUp(try IKEBench.connection())
      await bench.time.pass(.seconds(9))
      await bench.forget()
      await bench.charon.dropAssociationsSilently(of: tunnel)
      #expect(await bench.keeper.current()[tunnel]?.associations.isUp == false)
      await bench.time.settle()
      #expect(bench.said.map { $0.prefix(10) } == ["fra-a down"])
      await bench.time.pass(.seconds(2))
      #expect(await bench.steps == ["initiate fra-a"])
    }
  }

  // MARK: What others do to charon

  @Test func whatAnotherProgramRemovesIsLoadedAgain() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection("a"), try IKEBench.connection("b"))
      await bench.forget()
      await bench.charon.forgetConnection(of: try name("a"))
      await bench.time.pass(.seconds(1))
      #expect(await bench.steps == ["load a"])
      await bench.charon.forgetSecrets(of: try name("b"))
      await bench.time.pass(.seconds(1))
      #expect(await bench.steps == ["load a", "load b"])
      #expect(
        bench.texts() == [
          "tunnel a: another program removed its connection or key from charon, so it is loaded again",
          "tunnel b: another program removed its connection or key from charon, so it is loaded again",
        ])
      #expect(bench.said == [])
    }
  }

  @Test func aCharonThatKeepsNothingIsReportedOnce() async throws {
    try await IKEBench.run { bench in
      await bench.charon.forgetWhatIsGiven(true)
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(60))
      #expect(bench.events.count(.driftRepaired) == 1)
      #expect(await bench.steps.count <= 2 * 61, "a load and an attempt a second at most")
    }
  }

  // MARK: A charon that is out of order

  @Test func aCharonThatDoesNotSayWhatItHasIsAskedOnceASecond() async throws {
    try await IKEBench.run { bench in
      let failure = CharonFailure(operation: "list-sas", cause: "charon has no such command", isGone: false)
      await bench.charon.refuseLooks(failure)
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(60))
      #expect(await bench.steps == ["load fra-a"], "no SA is asked for where nobody knows whether there is one")
      #expect(await bench.charon.calls <= 3 * 62)
      #expect(await bench.keeper.status.trouble == "list-sas: charon has no such command")
      await bench.charon.refuseLooks(nil)
      await bench.time.pass(.seconds(3))
      #expect(bench.said.last == "fra-a up")
      #expect(await bench.keeper.status.trouble == nil)
    }
  }

  @Test func aLookThatFailsWhileAnSAIsMadeIsNotRepeatedAtOnce() async throws {
    try await IKEBench.run { bench in
      await bench.charon.set(.silent, for: try name("fra-a"))
      await bench.bringUp(try IKEBench.connection())
      await bench.charon.refuseLooks(CharonFailure(operation: "list-sas", cause: "not now", isGone: false))
      let before = await bench.charon.calls
      await bench.time.pass(.seconds(60))
      #expect(await bench.charon.calls - before <= 3 * 61)
    }
  }

  @Test func aCharonThatComesAndGoesAtOnceIsReportedOnceAndAskedLessAndLess() async throws {
    try await IKEBench.run { bench in
      await bench.charon.dropEverySession("charon sent a malformed packet")
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(600))
      #expect(
        bench.events.all.map(\.kind) == [.charonUp, .charonDown, .charonUp], "told once, and then no more")
      #expect(await bench.charon.connects <= 6 + 600 / 5)
      await bench.charon.dropEverySession(nil)
      await bench.time.pass(.seconds(10))
      #expect(bench.said.last == "fra-a up")
    }
  }

  @Test func aCharonThatDoesNotSayWhatItHoldsIsReportedOnce() async throws {
    try await IKEBench.run { bench in
      await bench.charon.refuseHoldings(CharonFailure(operation: "get-conns", cause: "not now", isGone: false))
      await bench.charon.addForeignConnection("backhaul-old", try IKEBench.connection("old"))
      await bench.want(try IKEBench.connection())
      await bench.time.pass(.seconds(60))
      #expect(
        bench.texts(.charonRefused) == [
          "what is no longer wanted may stay for now, will try again: get-conns: not now"
        ])
      #expect(bench.said.last == "fra-a up", "which keeps nothing else from being done")
      await bench.charon.refuseHoldings(nil)
      await bench.time.pass(.seconds(2))
      #expect(await bench.charon.names == ["backhaul-fra-a"], "strangers are not forgotten")
    }
  }

  @Test func aCharonThatRefusesToEndAnSAIsNotAskedAllTheTime() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection())
      await bench.forget()
      await bench.charon.refuse { step in if case .terminate = step { "not now" } else { nil } }
      await bench.want(try IKEBench.connection(local: "198.51.100.7"))
      await bench.time.pass(.seconds(300))
      let count = await bench.steps.filter { $0 == "terminate fra-a" }.count
      #expect((8...20).contains(count), "\(count)")
      await bench.charon.refuse(nil)
      await bench.time.pass(.seconds(35))
      #expect(await bench.charon.associations(now: try name("fra-a"))?.ike?.local == IPv4Address("198.51.100.7"))
    }
  }

  @Test func whereTheStatusFindsCharonGoneItIsAskedForAtOnce() async throws {
    try await IKEBench.run { bench in
      await bench.bringUp(try IKEBench.connection())
      await bench.forget()
      await bench.charon.dropEverySession("charon did not answer in time")
      _ = await bench.keeper.current()
      await bench.charon.dropEverySession(nil)
      await bench.time.pass(.milliseconds(500))
      #expect(bench.said == ["fra-a unknown", "fra-a up"])
    }
  }

  // MARK: What happens while charon is asked

  @Test func settingsThatChangeWhileAnSAIsBeingMade() async throws {
    try await IKEBench.run { bench in
      let new = try IKEBench.connection(psk: "/secrets/new", inUDP: true)
      await bench.charon.hold { if case .initiate = $0 { true } else { false } }
      await bench.want(try IKEBench.connection())
      #expect(await bench.charon.isHeld)
      await bench.want(new)
      await bench.charon.goOn()
      await bench.time.pass(.seconds(3))
      #expect(
        await bench.steps == [
          "load fra-a", "initiate fra-a", "load fra-a", "terminate fra-a", "initiate fra-a",
        ])
      #expect(await bench.charon.associations(now: new.tunnel)?.child?.isInUDP == true, "made by the new settings")
    }
  }

  @Test func settingsThatChangeWhileTheyAreLoaded() async throws {
    try await IKEBench.run { bench in
      await bench.charon.hold { if case .load = $0 { true } else { false } }
      await bench.want(try IKEBench.connection())
      let new = try IKEBench.connection(psk: "/secrets/new")
      await bench.want(new)
      await bench.charon.goOn()
      await bench.time.pass(.seconds(3))
      #expect(await bench.charon.connection(of: new.tunnel) == new)
      #expect(bench.said.last == "fra-a up")
    }
  }

  @Test func secretsThatChangeWhileTheyAreLoadedAreLoadedAgain() async throws {
    try await IKEBench.run { bench in
      await bench.charon.hold { if case .load = $0 { true } else { false } }
      await bench.want(try IKEBench.connection())
      await bench.keeper.reload()
      await bench.charon.goOn()
      await bench.time.pass(.seconds(3))
      #expect(await bench.steps == ["load fra-a", "load fra-a", "initiate fra-a"])
    }
  }

  @Test func aTunnelThatGoesWhileItsSAIsBeingMade() async throws {
    try await IKEBench.run { bench in
      let (a, b) = (try IKEBench.connection("a"), try IKEBench.connection("b"))
      await bench.charon.hold { $0 == .initiate(a.tunnel) }
      await bench.want(a, b)
      await bench.want(b)
      await bench.charon.goOn()
      await bench.time.pass(.seconds(3))
      #expect(await bench.charon.names == ["backhaul-b"])
      #expect(await bench.charon.associations(now: a.tunnel) == nil)
      #expect(await bench.keeper.current().keys.sorted() == [b.tunnel])
    }
  }

  @Test func aTunnelThatGoesWhileAnotherIsUnloadedIsNotForgotten() async throws {
    try await IKEBench.run { bench in
      let all = try ["a", "b", "c"].map { try IKEBench.connection($0) }
      await bench.bringUp(all[0], all[1], all[2])
      // One that comes before it in the order of their names.
      await bench.charon.hold { $0 == .unload(all[1].tunnel) }
      await bench.want(all[0], all[2])
      #expect(await bench.charon.isHeld)
      await bench.want(all[2])
      await bench.charon.goOn()
      await bench.time.pass(.seconds(3))
      #expect(await bench.charon.names == ["backhaul-c"])
    }
  }

  @Test func aTunnelThatComesBackWhileItIsUnloaded() async throws {
    try await IKEBench.run { bench in
      let (a, b) = (try IKEBench.connection("a"), try IKEBench.connection("b"))
      await bench.bringUp(a, b)
      await bench.charon.hold { $0 == .unload(a.tunnel) }
      await bench.want(b)
      await bench.want(a, b)
      await bench.charon.goOn()
      await bench.time.pass(.seconds(3))
      #expect(await bench.charon.names == ["backhaul-a", "backhaul-b"])
      #expect(await bench.charon.associations(now: a.tunnel)?.isUp == true)
    }
  }

  @Test func charonThatGoesWhileItIsAsked() async throws {
    try await IKEBench.run { bench in
      await bench.charon.hold { if case .initiate = $0 { true } else { false } }
      await bench.want(try IKEBench.connection())
      await bench.charon.end()
      await bench.charon.start()
      await bench.charon.goOn()
      await bench.time.pass(.seconds(3))
      #expect(await bench.steps == ["load fra-a", "initiate fra-a", "load fra-a", "initiate fra-a"])
      #expect(bench.said.last == "fra-a up")
    }
  }

  // MARK: Many

  @Test func aHundredTunnels() async throws {
    try await IKEBench.run { bench in
      let all = try (0..<100).map { try IKEBench.connection("t\($0)") }
      await bench.keeper.want(all, held: [])
      await bench.time.pass(.seconds(3))
      #expect(bench.events.count(.saUp) == 100)
      #expect(bench.said.filter { $0.hasSuffix(" up") }.count == 100)
      #expect(await bench.steps.count == 200)
      // Two steps each, at most one look each for its event, and the inventories.
      #expect(await bench.charon.calls <= 100 * 3 + 20)
      #expect(bench.costsTold.last?.count == 100)
      await bench.forget()
      await bench.charon.end()
      await bench.charon.start()
      await bench.time.pass(.seconds(3))
      #expect(await bench.steps.count == 200)
      #expect(bench.said.filter { $0.hasSuffix(" up") }.count == 100)
    }
  }

  @Test func howeverMuchCharonSaysAllIsSeen() async throws {
    try await IKEBench.run { bench in
      let fra = try IKEBench.connection()
      await bench.bringUp(fra)
      await bench.forget()
      for number in 0..<3_000 { await bench.charon.tell("nonsense \(number)", of: try name("stranger-\(number)")) }
      await bench.charon.dropAssociations(of: fra.tunnel)
      await bench.time.pass(.seconds(2))
      #expect(await bench.steps == ["initiate fra-a"])
      #expect(bench.events.count(.saFailed) == 0)
    }
  }
}
