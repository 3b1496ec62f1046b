import Core
internal import RuleSets

/// The lines between the router and its probes' targets, with the probes' sockets.
struct Network {
  /// The target of a socket; nil: it is closed.
  fileprivate var sockets: [Int?] = []
  var ledgers: [Ledger] = []
  /// Which paths can send.
  private var canSend: [Bool] = []
  /// When a path last could not send, on the clock that stops while the agent sleeps.
  private(set) var couldNotSend: [Nanoseconds] = []

  mutating func begin(_ town: Town) {
    if ledgers.isEmpty { ledgers = town.targets.map { _ in Ledger() } }
    if canSend.isEmpty {
      canSend = town.paths.map { _ in true }
      couldNotSend = town.paths.map { _ in 0 }
    }
  }

  /// Devices, sources or our own sending changed.
  ///
  /// - Parameter hasSource: the agent knows of an address to send from by this path.
  mutating func sendingChanged(_ town: Town, awake: Nanoseconds, hasSource: (Int) -> Bool) {
    for number in town.paths.indices {
      let can = town.canSend(by: number) && hasSource(number)
      if !can || !canSend[number] { couldNotSend[number] = awake }
      canSend[number] = can
    }
  }

  func canSend(by path: Int) -> Bool { canSend[path] }

  mutating func closeAll() { for index in sockets.indices { sockets[index] = nil } }

  /// The agent reads its socket. False if there is no such socket any more.
  mutating func take(
    _ arrival: Arrival, of number: UInt64, by socket: Int, at now: Nanoseconds, awake: Nanoseconds
  ) -> Bool {
    guard let target = sockets[socket] else { return false }
    ledgers[target].taken(number, arrival, at: now, awake: awake)
    return true
  }
}

// Questions from a pilot.
extension World {
  func open(_ probe: Name) -> Int {
    network.sockets.append(town.targetNumbers[probe])
    return network.sockets.count - 1
  }

  /// Then the probes of that socket are never answered.
  func close(_ socket: Int) {
    if let target = network.sockets[socket] { network.ledgers[target].forget(since: now) }
    network.sockets[socket] = nil
  }

  /// A new machine has no past.
  func machineMade(for probe: Name) {
    guard let target = town.targetNumbers[probe] else { return }
    network.ledgers[target].begin(awake: awake)
  }

  func send(_ number: UInt64, by socket: Int) {
    guard let target = network.sockets[socket] else { return }
    let path = town.targets[target].path
    count { $0.probes += 1 }
    let probe = witness.probes[target] ?? town.targets[target].probe
    checkPace(of: target, probe)
    guard town.canSend(by: path) else {
      return plan(.arrival(socket: socket, number: number, .couldNotSend), in: 0)
    }
    var sent = Ledger.Sent(
      number: number, at: now, deadline: now + probe.timeout.nanoseconds,
      prompt: now + Promise.promptAnswer(probe).nanoseconds)
    defer { network.ledgers[target].sent(sent) }
    guard let fate = town.fate(of: target, &dice) else {
      noteProbe { "  probe \(probe.name) \(number) is sent, and lost" }
      return count { $0.lost += 1 }
    }
    noteProbe {
      "  probe \(probe.name) \(number) is sent, \(fate.isRefusal ? "refused" : "answered") after \(fate.time / microsecond) µs"
    }
    sent.arrival = now + fate.time
    sent.isRefusal = fate.isRefusal
    let arrival: Arrival = fate.isRefusal ? .refused : .answered(roundTrip: fate.time)
    plan(.arrival(socket: socket, number: number, arrival), in: fate.time)
    if fate.isTwice {
      plan(.arrival(socket: socket, number: number, arrival), in: fate.time + dice.time(0...millisecond))
    }
  }

  func abandon(_ number: UInt64, by socket: Int) {
    guard let target = network.sockets[socket] else { return }
    noteProbe { "  probe \(self.town.targets[target].probe.name) \(number) is given up" }
    network.ledgers[target].abandoned(number, at: now)
  }
}

extension Town {
  fileprivate struct Fate {
    var time: Nanoseconds = 0
    var isRefusal = false
    var isTwice = false
  }

  /// One probe's round trip; nil if it is lost.
  fileprivate mutating func fate(of target: Int, _ dice: inout Dice) -> Fate? {
    let path = targets[target].path
    let (uplink, hub) = (carrier(of: path), paths[path].hub)
    // What the uplink's own device does not carry is silently lost inside the tunnel.
    if let uplink, !devices[uplink].carries { return nil }
    var fate = Fate()
    if let uplink, !Self.pass(&uplinks[uplink].line, &fate, &dice) { return nil }
    if !fate.isRefusal, !Self.pass(&paths[path].line, &fate, &dice) { return nil }
    if !fate.isRefusal, let hub, !Self.pass(&hubs[hub], &fate, &dice) { return nil }
    if !fate.isRefusal, !Self.pass(&targets[target].line, &fate, &dice) { return nil }
    return fate
  }

  private static func pass(_ line: inout SimulatedLink, _ fate: inout Fate, _ dice: inout Dice) -> Bool {
    if line.loses(isAnswer: false, &dice) { return false }
    fate.time += line.time(&dice)
    if line.refuses { fate.isRefusal = true } else if line.loses(isAnswer: true, &dice) { return false }
    if line.duplication > 0 && dice.chance(line.duplication) { fate.isTwice = true }
    return true
  }
}
