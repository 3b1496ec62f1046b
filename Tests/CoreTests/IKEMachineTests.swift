internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

/// A tunnel's connection, and a machine brought to where a test wants it.
enum IKESample {
  static func connection(_ name: String = "fra-a", local: String = "192.0.2.2", psk: String = "/secrets/fra") throws
    -> IKEConnection
  {
    IKEConnection(
      tunnel: try #require(Name(name)), mode: .tunnel(interfaceID: 0x20_0000),
      local: try #require(IPv4Address(local)), remote: try #require(IPv4Address("203.0.113.2")),
      localID: try #require(IKEIdentity("branch-017")), remoteID: try #require(IKEIdentity("hub.example")),
      credentials: .psk(file: psk))
  }

  static let nothing = TunnelAssociations()

  static func connecting(_ local: String = "192.0.2.2") -> TunnelAssociations {
    TunnelAssociations(ike: IKEAssociation(number: 1, state: .connecting, local: IPv4Address(local)))
  }

  static func established(_ local: String = "192.0.2.2") -> TunnelAssociations {
    TunnelAssociations(ike: IKEAssociation(number: 1, state: .established, local: IPv4Address(local)))
  }

  static func up(_ local: String = "192.0.2.2", _ number: UInt32 = 2) -> TunnelAssociations {
    var up = established(local)
    up.child = ChildAssociation(number: number, state: .installed, mode: "tunnel")
    return up
  }

  /// In this phase at second 0, with charon seen in all but the first two.
  static func machine(_ phase: IKEMachine.Phase) throws -> IKEMachine {
    var machine = IKEMachine(try connection(), at: at(0))
    if phase == .absent { return machine }
    machine.charonCame(at: at(0))
    if phase == .unloaded { return machine }
    machine.saw(nothing, at: at(0), chance: 0.5)
    machine.loaded(at: at(0))
    if phase == .idle { return machine }
    machine.initiating(at: at(0))
    if phase == .connecting { return machine }
    machine.saw(up(), at: at(0), chance: 0.5)
    return machine
  }
}

@Suite struct IKEMachineTests {
  enum Fact: String, CaseIterable, CustomStringConvertible {
    case charonCame, charonWent, idsAreShared, settingsChanged, reload, loaded, refused, initiating, terminated, noticed
    case sawNothing, sawNothingForLong, sawConnecting, sawEstablishedWithoutChild, sawUp, sawUpFromOlderAddress
    var description: String { rawValue }
  }

  private func tell(_ fact: Fact, _ machine: inout IKEMachine) throws {
    switch fact {
    case .charonCame: machine.charonCame(at: at(0))
    case .charonWent: machine.charonWent()
    case .idsAreShared:
      var same = machine.connection
      same.sharesIDs = true
      machine.connectionChanged(to: same, at: at(0))
    case .settingsChanged: machine.connectionChanged(to: try IKESample.connection(psk: "/secrets/new"), at: at(0))
    case .reload: machine.reload(at: at(0))
    case .loaded: machine.loaded(at: at(0))
    case .refused: machine.refused("no such file", at: at(0), chance: 0.5)
    case .initiating: machine.initiating(at: at(0))
    case .terminated: machine.terminated(at: at(0))
    case .noticed: machine.noticed(IKETrouble("the hub does not answer", .hint))
    case .sawNothing: machine.saw(IKESample.nothing, at: at(0), chance: 0.5)
    case .sawNothingForLong: machine.saw(IKESample.nothing, at: at(1), chance: 0.5)
    case .sawConnecting: machine.saw(IKESample.connecting(), at: at(0), chance: 0.5)
    case .sawEstablishedWithoutChild: machine.saw(IKESample.established(), at: at(0), chance: 0.5)
    case .sawUp: machine.saw(IKESample.up(), at: at(0), chance: 0.5)
    case .sawUpFromOlderAddress: machine.saw(IKESample.up("192.0.2.1"), at: at(0), chance: 0.5)
    }
  }

  /// The phase, and what is asked of charon then.
  private func text(_ machine: IKEMachine, at now: Instant) -> String {
    let step: String? =
      switch machine.next(at: now) {
      case .load?: "load"
      case .unload?: "unload"
      case .initiate?: "initiate"
      case .terminate?: "terminate"
      case nil: nil
      }
    return machine.phase.rawValue + (step.map { ", \($0)" } ?? "")
  }

  /// From absent, unloaded, idle, connecting and up.
  private static let table: [(Fact, [String])] = [
    (
      .charonCame,
      ["unloaded, load", "unloaded, load", "unloaded, load", "unloaded, load", "unloaded, load"]
    ),
    (.charonWent, ["absent", "absent", "absent", "absent", "absent"]),
    (.idsAreShared, ["absent", "unloaded, load", "unloaded, load", "unloaded, load", "unloaded, load"]),
    (.settingsChanged, ["absent", "unloaded, load", "unloaded, load", "unloaded, load", "unloaded, load"]),
    (.reload, ["absent", "unloaded, load", "unloaded, load", "unloaded, load", "unloaded, load"]),
    // The unloaded connection has not been inspected, so it is unknown whether there are SAs.
    (.loaded, ["absent", "idle", "idle, initiate", "connecting", "up"]),
    (.refused, ["absent", "unloaded", "idle", "idle", "up"]),
    (.initiating, ["absent", "unloaded, load", "connecting", "connecting", "up"]),
    (.terminated, ["absent", "unloaded, load", "idle, initiate", "idle, initiate", "idle, initiate"]),
    (.noticed, ["absent", "unloaded, load", "idle, initiate", "connecting", "up"]),
    (.sawNothing, ["absent", "unloaded, load", "idle, initiate", "connecting", "idle"]),
    (.sawNothingForLong, ["absent", "unloaded, load", "idle, initiate", "idle", "idle"]),
    (.sawConnecting, ["absent", "unloaded, load", "connecting", "connecting", "connecting"]),
    (.sawEstablishedWithoutChild, ["absent", "unloaded, load", "idle, initiate", "connecting", "idle"]),
    (.sawUp, ["absent", "unloaded, load", "up", "up", "up"]),
    (.sawUpFromOlderAddress, ["absent", "unloaded, load", "up, terminate", "up, terminate", "up, terminate"]),
  ]

  @Test("every fact in every phase", arguments: Fact.allCases)
  func everyFactInEveryPhase(_ fact: Fact) throws {
    let row = try #require(Self.table.first { $0.0 == fact })
    for (phase, expected) in zip(IKEMachine.Phase.allCases, row.1) {
      var machine = try IKESample.machine(phase)
      #expect(machine.phase == phase)
      try tell(fact, &machine)
      #expect(text(machine, at: at(fact == .sawNothingForLong ? 1 : 0)) == expected, "\(phase) + \(fact)")
    }
  }

  // MARK: A restart of ours

  @Test func anUndisturbedRestartChangesNothing() throws {
    var machine = IKEMachine(try IKESample.connection(), at: at(0))
    machine.charonCame(at: at(0))
    machine.saw(IKESample.up(), at: at(0), chance: 0.5)
    #expect(machine.next(at: at(0)) == .load(machine.connection), "the same again, which charon keeps as it is")
    machine.loaded(at: at(0))
    #expect(machine.phase == .up)
    for second in 0..<3_600 {
      let now = at(Double(second))
      #expect(machine.next(at: now) == nil)
      #expect(machine.nextDeadline == nil)
      machine.saw(IKESample.up(), at: now, chance: 0.5)
    }
  }

  @Test func anSAThatCharonIsMakingIsWaitedFor() throws {
    var machine = IKEMachine(try IKESample.connection(), at: at(0))
    machine.charonCame(at: at(0))
    machine.saw(IKESample.connecting(), at: at(0), chance: 0.5)
    machine.loaded(at: at(0))
    #expect(machine.next(at: at(0)) == nil)
    #expect(machine.phase == .connecting)
  }

  @Test func anSAOfAnOlderAddressIsEndedAfterARestart() throws {
    for before in [IKESample.up("192.0.2.1"), IKESample.connecting("192.0.2.1")] {
      var machine = IKEMachine(try IKESample.connection(), at: at(0))
      machine.charonCame(at: at(0))
      machine.saw(before, at: at(0), chance: 0.5)
      machine.loaded(at: at(0))
      #expect(machine.next(at: at(0)) == .terminate(machine.connection.tunnel))
      machine.terminated(at: at(0))
      #expect(machine.next(at: at(0)) == .initiate(machine.connection.tunnel))
    }
  }

  @Test func anSAOfAnOlderAddressThatIsOnItsWayOutIsLeftAlone() throws {
    var going = IKESample.established("192.0.2.1")
    going.ike?.state = .deleting
    var machine = try IKESample.machine(.idle)
    machine.saw(going, at: at(0), chance: 0.5)
    #expect(machine.next(at: at(0)) == .initiate(machine.connection.tunnel))
  }

  // MARK: New settings

  @Test func staleSAsAreEndedOnceTheNewConnectionIsThere() throws {
    for phase in [IKEMachine.Phase.connecting, .up] {
      var machine = try IKESample.machine(phase)
      let new = try IKESample.connection(psk: "/secrets/new")
      machine.connectionChanged(to: new, at: at(10))
      #expect(machine.next(at: at(10)) == .load(new), "add before delete")
      machine.loaded(at: at(10))
      #expect(machine.next(at: at(10)) == .terminate(new.tunnel))
      machine.terminated(at: at(10))
      #expect(machine.next(at: at(10)) == .initiate(new.tunnel))
    }
  }

  @Test func settingsThatChangeBeforeAnySAIsSeenMakeWhatIsThereStale() throws {
    var machine = IKEMachine(try IKESample.connection(), at: at(0))
    let new = try IKESample.connection(psk: "/secrets/new")
    machine.connectionChanged(to: new, at: at(1))
    machine.charonCame(at: at(2))
    machine.saw(IKESample.up(), at: at(2), chance: 0.5)
    machine.loaded(at: at(2))
    #expect(machine.next(at: at(2)) == .terminate(new.tunnel))
  }

  @Test func settingsThatChangeWhileCharonIsBeingAskedForAnSAMakeItStale() throws {
    var machine = try IKESample.machine(.idle)
    machine.initiating(at: at(0))
    let new = try IKESample.connection(psk: "/secrets/new")
    machine.connectionChanged(to: new, at: at(0))
    machine.loaded(at: at(0))
    machine.saw(IKESample.up(), at: at(0), chance: 0.5)
    #expect(machine.next(at: at(0)) == .terminate(new.tunnel))
  }

  @Test func settingsThatChangeWithNothingThereEndNothing() throws {
    var machine = try IKESample.machine(.idle)
    let new = try IKESample.connection(psk: "/secrets/new")
    machine.connectionChanged(to: new, at: at(0))
    machine.loaded(at: at(0))
    #expect(machine.next(at: at(0)) == .initiate(new.tunnel))
  }

  @Test func anotherTunnelWithTheSameIDsChangesNothingForTheSAs() throws {
    var machine = try IKESample.machine(.up)
    var same = machine.connection
    same.sharesIDs = true
    machine.connectionChanged(to: same, at: at(5))
    machine.loaded(at: at(5))
    #expect(machine.phase == .up)
    #expect(machine.next(at: at(5)) == nil)
  }

  @Test func reloadedSecretsLeaveALivingSAAlone() throws {
    var machine = try IKESample.machine(.up)
    machine.reload(at: at(5))
    #expect(machine.next(at: at(5)) == .load(machine.connection))
    #expect(machine.associations.isUp)
    machine.loaded(at: at(5))
    #expect(machine.phase == .up)
    #expect(machine.next(at: at(5)) == nil)
  }

  @Test func secretsThatCannotBeReloadedAreTroubleThatALivingSADoesNotHide() throws {
    var machine = try IKESample.machine(.up)
    machine.reload(at: at(5))
    machine.refused("read /secrets/fra: no such file", at: at(5), chance: 0.5)
    machine.saw(IKESample.up(), at: at(6), chance: 0.5)
    #expect(machine.trouble == "read /secrets/fra: no such file")
    machine.loaded(at: at(7))
    #expect(machine.trouble == nil)
  }

  @Test func whatWasBegunBeforeAReloadIsOfAnOlderEdition() throws {
    var machine = try IKESample.machine(.unloaded)
    var editions: Set<UInt64> = [machine.edition]
    machine.reload(at: at(1))
    editions.insert(machine.edition)
    machine.connectionChanged(to: try IKESample.connection(psk: "/secrets/new"), at: at(2))
    editions.insert(machine.edition)
    machine.charonCame(at: at(3))
    editions.insert(machine.edition)
    #expect(editions.count == 4)
  }

  // MARK: Pauses

  /// Seconds between one refusal and the next attempt.
  private func pauses(_ machine: inout IKEMachine, chance: Double, _ count: Int) -> [Double] {
    var now = at(0)
    return (0..<count).map { _ in
      machine.refused("refused", at: now, chance: chance)
      let next = machine.nextDeadline ?? now
      #expect(machine.next(at: next + .nanoseconds(-1)) == nil)
      #expect(machine.next(at: next) != nil)
      defer { now = next }
      return (next - now).inSeconds
    }
  }

  @Test func pausesGrowAndAreBounded() throws {
    for phase in [IKEMachine.Phase.unloaded, .idle] {
      var machine = try IKESample.machine(phase)
      #expect(pauses(&machine, chance: 1, 8) == [1, 2, 4, 8, 16, 30, 30, 30])
      machine = try IKESample.machine(phase)
      #expect(pauses(&machine, chance: 0, 8) == [0.5, 1, 2, 4, 8, 15, 15, 15], "half at least, by chance")
      machine = try IKESample.machine(phase)
      #expect(pauses(&machine, chance: 0.5, 5_000).suffix(2) == [22.5, 22.5])
    }
  }

  @Test func aHubThatRefusesIsAskedAgainAfterLongerAndLongerPauses() throws {
    var machine = try IKESample.machine(.idle)
    var now = at(0)
    var waits: [Double] = []
    for _ in 0..<7 {
      #expect(machine.next(at: now) == .initiate(machine.connection.tunnel))
      machine.initiating(at: now)
      machine.noticed(IKETrouble("the hub refused our authentication", .answer))
      now = now + .seconds(1)
      #expect(machine.wantsLook(at: now))
      machine.saw(IKESample.nothing, at: now, chance: 1)
      #expect(machine.trouble == "the hub refused our authentication")
      let next = try #require(machine.nextDeadline)
      waits.append((next - now).inSeconds)
      now = next
    }
    #expect(waits == [1, 2, 4, 8, 16, 30, 30])
  }

  @Test func anSAThatWentIsMadeAgainSoonIfItHadLastedAndLaterIfNot() throws {
    // Two routers with one name: each newcomer throws the other out.
    var machine = try IKESample.machine(.idle)
    var now = at(0)
    var waits: [Double] = []
    for lived in [5.0, 5, 5, 5, 60, 60] {
      machine.initiating(at: now)
      machine.saw(IKESample.up(), at: now, chance: 1)
      now = now + .seconds(lived)
      machine.saw(IKESample.nothing, at: now, chance: 1)
      let next = try #require(machine.nextDeadline)
      waits.append((next - now).inSeconds)
      now = next
    }
    #expect(waits == [1, 2, 4, 8, 1, 1])
  }

  @Test func aSilentHubIsLookedAtEverySecondAndNeverAskedTwice() throws {
    var machine = try IKESample.machine(.connecting)
    for second in 1..<600 {
      let now = at(Double(second))
      #expect(machine.next(at: now) == nil)
      #expect(machine.nextDeadline == now)
      #expect(machine.wantsLook(at: now))
      machine.saw(IKESample.connecting(), at: now, chance: 0.5)
      #expect(!machine.wantsLook(at: now))
    }
  }

  @Test func whereCharonIsNotThereNothingIsDue() throws {
    var machine = try IKESample.machine(.up)
    machine.charonWent()
    #expect(machine.nextDeadline == nil)
    #expect(!machine.wantsLook(at: at(100)))
    machine.noticed(IKETrouble("too late to be of interest", .answer))
    machine.refused("too late as well", at: at(1), chance: 0)
    #expect(machine.trouble == nil)
  }

  @Test func anSAThatDoesNotEndIsNotEndedAgainAtOnce() throws {
    var machine = try IKESample.machine(.idle)
    machine.saw(IKESample.up("192.0.2.1"), at: at(0), chance: 0.5)
    #expect(machine.next(at: at(0)) == .terminate(machine.connection.tunnel))
    machine.terminated(at: at(0))
    machine.initiating(at: at(0))
    machine.saw(IKESample.up("192.0.2.1"), at: at(0.1), chance: 0.5)
    #expect(machine.next(at: at(0.1)) == nil, "its successor would be ended with it")
    #expect(machine.nextDeadline == at(1))
    #expect(machine.next(at: at(1)) == .terminate(machine.connection.tunnel))
    machine.refused("charon refused", at: at(1), chance: 0.5)
    #expect(machine.next(at: at(1.2)) == nil)
    #expect(machine.nextDeadline == at(1.75))
  }

  @Test func untilSomethingFailedNothingIsDecided() throws {
    #expect(try !IKESample.machine(.absent).isUndecided(at: at(0)))
    for phase in [IKEMachine.Phase.unloaded, .idle, .connecting] {
      let machine = try IKESample.machine(phase)
      #expect(machine.isUndecided(at: at(4.9)), "\(phase)")
      #expect(!machine.isUndecided(at: at(5)), "\(phase): it takes too long")
    }
    var machine = try IKESample.machine(.up)
    #expect(!machine.isUndecided(at: at(0)))
    machine.saw(IKESample.nothing, at: at(1), chance: 0.5)
    #expect(!machine.isUndecided(at: at(1)), "there was an SA and it is gone")
    machine = try IKESample.machine(.connecting)
    machine.noticed(IKETrouble("the hub does not answer", .hint))
    #expect(!machine.isUndecided(at: at(0)))
    machine.charonWent()
    machine.charonCame(at: at(100))
    #expect(machine.isUndecided(at: at(100)), "another life of charon's")
  }

  @Test("the most certain reason for a failed attempt is shown", arguments: IKETrouble.Certainty.allCases)
  func theMostCertainWord(_ first: IKETrouble.Certainty) throws {
    for second in IKETrouble.Certainty.allCases {
      var machine = try IKESample.machine(.connecting)
      machine.noticed(IKETrouble("first", first))
      machine.noticed(IKETrouble("second", second))
      #expect(machine.trouble == (second < first ? "first" : "second"), "\(first), then \(second)")
    }
  }

  /// An earlier attempt's reason is dropped once this attempt has given an equally certain one, or the hub is silent.
  @Test("an older word", arguments: IKETrouble.Certainty.allCases)
  func anOlderWord(_ second: IKETrouble.Certainty) throws {
    var machine = try IKESample.machine(.connecting)
    machine.noticed(IKETrouble("the hub refused our authentication", .answer))
    machine.saw(IKESample.nothing, at: at(1), chance: 0)
    machine.initiating(at: at(2))
    machine.noticed(IKETrouble("the hub does not answer", second))
    #expect(machine.trouble == (second == .hint ? "the hub refused our authentication" : "the hub does not answer"))
  }
}
