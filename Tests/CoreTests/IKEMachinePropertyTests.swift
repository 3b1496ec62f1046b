internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// One machine, the charon that it drives and the hub at the other end. Random things happen to them; the machine is
/// driven as a keeper would: it is told what happened and asked what to do, and charon is inspected when it wants that.
private struct World {
  enum Hub: CaseIterable { case accepts, refuses, silent }

  var random: SeededRandom
  var now = Instant(nanoseconds: 0)
  var machine: IKEMachine
  // charon
  var answers = false
  var hasConnection: IKEConnection?
  var sas = TunnelAssociations()
  var madeBy: IKEConnection?
  var refusesToLoad = false
  var refusesToInitiate = false
  // the hub
  var hub = Hub.accepts
  private var number: UInt32 = 0
  /// Charon may not be asked anything before this.
  private var quietUntil: Instant?
  var steps = 0
  var breaches: [String] = []

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    machine = IKEMachine(try IKESample.connection(), at: now)
  }

  mutating func look() {
    guard answers else { return }
    machine.saw(sas, at: now, chance: Double.random(in: 0..<1, using: &random))
  }

  mutating func serve() {
    if machine.wantsLook(at: now) { look() }
    var taken = 0
    while let step = machine.next(at: now) {
      taken += 1
      steps += 1
      if let quietUntil, now < quietUntil { breaches.append("\(step) at \(now), quiet was due until \(quietUntil)") }
      guard taken <= 4 else { return breaches.append("a fifth step at \(now): \(step)") }
      guard answers else { return breaches.append("asked while charon is away: \(step)") }
      if !carryOut(step) {
        machine.refused("refused", at: now, chance: Double.random(in: 0..<1, using: &random))
        quietUntil = now + IKEMachine.firstPause / 2
        return
      }
    }
  }

  /// False where charon refuses.
  private mutating func carryOut(_ step: IKEStep) -> Bool {
    switch step {
    case .load(let connection):
      if refusesToLoad { return false }
      hasConnection = connection
      machine.loaded(at: now)
    case .terminate:
      sas = TunnelAssociations()
      machine.terminated(at: now)
    case .unload: breaches.append("a machine never unloads")
    case .initiate:
      machine.initiating(at: now)
      guard !refusesToInitiate, let connection = hasConnection else { return false }
      negotiate(connection)
    }
    return true
  }

  private mutating func negotiate(_ connection: IKEConnection) {
    number += 2
    madeBy = connection
    switch hub {
    case .accepts:
      sas.ike = IKEAssociation(number: number, state: .established, local: connection.local)
      sas.child = ChildAssociation(number: number + 1, state: .installed, mode: "tunnel")
    case .refuses: machine.noticed(IKETrouble("the hub refused", .answer))
    case .silent:
      if sas.ike == nil { sas.ike = IKEAssociation(number: number, state: .connecting, local: connection.local) }
    }
  }

  /// What makes the machine try again at once.
  private mutating func beginsAnew() { quietUntil = nil }

  mutating func accident() throws {
    switch Int.random(in: 0..<12, using: &random) {
    case 0:
      // It ends and forgets; somebody starts it again.
      if answers { machine.charonWent() }
      (answers, hasConnection, sas) = (false, nil, TunnelAssociations())
    case 1:
      // Only the connection to it is lost; it keeps what it has.
      if answers { machine.charonWent() }
      answers = false
    case 2, 3:
      if !answers {
        answers = true
        machine.charonCame(at: now)
        beginsAnew()
      }
    case 4:
      sas = TunnelAssociations()
      look()
    case 5: sas.child = nil
    case 6:
      let local = Bool.random(using: &random) ? "192.0.2.2" : "192.0.2.3"
      let psk = Bool.random(using: &random) ? "/secrets/a" : "/secrets/b"
      let new = try IKESample.connection(local: local, psk: psk)
      if new != machine.connection {
        machine.connectionChanged(to: new, at: now)
        beginsAnew()
      }
    case 7:
      machine.reload(at: now)
      beginsAnew()
    case 8: hub = Hub.allCases.randomElement(using: &random) ?? .accepts
    case 9: refusesToLoad.toggle()
    case 10: refusesToInitiate.toggle()
    default: machine.noticed(IKETrouble("something", .hint))
    }
    serve()
  }

  /// Lets time pass, from deadline to deadline.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    while true {
      let next = min(machine.nextDeadline ?? end, end)
      // A keeper never serves the same instant again.
      now = max(next, now + .milliseconds(20))
      if now >= end { break }
      // A hub that is back answers charon's next packet.
      if hub == .accepts, sas.ike?.isConnecting == true, let connection = madeBy { negotiate(connection) }
      serve()
    }
    now = end
    serve()
  }
}

@Suite struct IKEMachinePropertyTests {
  @Test("whatever happened before, the tunnel comes up when the hub accepts", arguments: 0..<200)
  func converges(_ seed: Int) throws {
    var world = try World(seed: UInt64(seed) &* 0x9e37)
    for _ in 0..<60 {
      try world.accident()
      world.pass(.milliseconds(Int.random(in: 0..<3_000, using: &world.random)))
    }
    (world.hub, world.refusesToLoad, world.refusesToInitiate) = (.accepts, false, false)
    if !world.answers {
      world.answers = true
      world.machine.charonCame(at: world.now)
    }
    world.look()
    world.pass(IKEMachine.longestPause + .seconds(5))
    #expect(world.machine.phase == .up)
    #expect(world.machine.trouble == nil)
    #expect(world.hasConnection == world.machine.connection)
    #expect(world.madeBy == world.machine.connection, "made by the settings of today")
    #expect(world.breaches.isEmpty)
    let before = world.steps
    world.pass(.seconds(3_600))
    #expect(world.steps == before, "and then nothing more is asked")
  }

  @Test("a charon that refuses everything is asked less and less often", arguments: 0..<20)
  func refusals(_ seed: Int) throws {
    var world = try World(seed: UInt64(seed))
    (world.answers, world.refusesToLoad) = (true, true)
    world.machine.charonCame(at: world.now)
    world.pass(.seconds(600))
    // Pauses from 0.5 s to 30 s, doubled each time: at most 6 until the longest, then at most one in 15 s.
    #expect(world.steps <= 6 + 600 / 15)
    #expect(world.steps >= 600 / 30)
    #expect(world.breaches.isEmpty)
  }
}
