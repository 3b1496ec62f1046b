import Agent
import Core
import Glibc
internal import RuleSets
import System
import Testing
import Transfer

/// One open probe and its outcome.
struct ProbeRun {
  let loop: Reactor
  let outcomes = Record<(UInt64, ProbeOutcome)>()
  let probe: any OpenProbe

  init(
    _ port: any ProbePort, on loop: Reactor, _ kind: Probe.Kind, _ bound: ProbeBinding, timeout: Duration = .seconds(2)
  ) async throws {
    self.loop = loop
    let name = try #require(Name("test"))
    let description = Probe(name: name, path: name, kind: kind, timeout: timeout)
    let opened = Record<any OpenProbe>()
    let outcomes = outcomes
    loop.enqueue { opened.add(port.open(description, bound: bound) { outcomes.add(($0, $1)) }) }
    probe = try #require(await opened.wait(for: 1).first)
  }

  func send(_ number: UInt64) { loop.enqueue { [probe] in probe.send(number) } }
  func close() { loop.enqueue { [probe] in probe.close() } }

  /// The outcome of one probe that is sent now.
  func outcome(_ number: UInt64 = 1) async throws -> ProbeOutcome {
    let before = outcomes.all.count
    send(number)
    let last = try #require(await outcomes.wait(for: before + 1).last)
    #expect(last.0 == number)
    return last.1
  }
}

extension ProbeBinding {
  static func lo() throws -> ProbeBinding { try ProbeBinding("lo", "127.0.0.1") }
  static func near(_ source: String = TestNetwork.nearAddress) throws -> ProbeBinding {
    try ProbeBinding(TestNetwork.near, source)
  }

  init(_ device: String, _ source: String) throws {
    self.init(
      device: try #require(InterfaceName(device)), mark: Mark(value: 0x0020_0000),
      source: try #require(IPv4Address(source)))
  }
}

extension ProbeOutcome {
  var isAnswer: Bool { if case .answered = self { true } else { false } }
}

/// One after the other: some of them take the link away.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ProbeTests {
  let network: TestNetwork
  let loop: Reactor
  let icmp: ICMPProber
  let engine: TransferEngine

  init() throws {
    network = try TestNetwork.shared()
    loop = try Reactor(name: "test", urgency: .raised)
    icmp = ICMPProber(on: loop)
    engine = TransferEngine()
  }

  private func ping(_ target: String, _ bound: ProbeBinding) async throws -> ProbeRun {
    try await ProbeRun(icmp, on: loop, .icmp(target: try #require(IPv4Address(target))), bound)
  }

  private func get(
    _ bound: ProbeBinding, _ address: String, _ port: UInt16, _ target: String = "/ok", statuses: [Int] = [200],
    body: String? = nil, timeout: Duration = .seconds(60)
  ) async throws -> ProbeRun {
    let check = HTTPCheck(
      scheme: .http, address: try #require(IPv4Address(address)), port: port, target: target, hostName: "hub.example",
      statuses: statuses, bodyText: body)
    return try await ProbeRun(HTTPProber(on: loop, by: engine), on: loop, .http(check), bound, timeout: timeout)
  }

  @Test func `an ICMP probe of the peer is answered, one of nobody is not`() async throws {
    let peer = try await ping(TestNetwork.peerAddress, .near())
    guard case .answered(let trip) = try await peer.outcome() else {
      Issue.record("no answer")
      return
    }
    #expect(trip > .zero && trip < .milliseconds(500))
    // An address without ARP: after three seconds of failed ARP the kernel would report an error.
    try TestProcess.run(
      "ip", "neigh", "replace", TestNetwork.nobody, "lladdr", "02:00:00:00:00:99", "dev", TestNetwork.near, "nud",
      "permanent")
    let nobody = try await ping(TestNetwork.nobody, .near())
    nobody.send(1)
    try await Task.sleep(for: .milliseconds(200))
    #expect(nobody.outcomes.all.isEmpty)
    for run in [peer, nobody] { run.close() }
  }

  @Test func `each of many probes on one device gets its own answer`() async throws {
    var runs: [ProbeRun] = []
    for _ in 0..<50 { runs.append(try await ping(TestNetwork.peerAddress, .near())) }
    for number in 1...20 as ClosedRange<UInt64> {
      for run in runs { run.send(number) }
      for run in runs { _ = await run.outcomes.wait(for: Int(number)) }
    }
    for run in runs {
      #expect(run.outcomes.all.map(\.0).sorted() == Array(1...20))
      #expect(run.outcomes.all.allSatisfy { $0.1.isAnswer })
      run.close()
    }
  }

  @Test func `a router's "unreachable" is a refusal`() async throws {
    try TestProcess.run("ip", "route", "replace", "198.51.100.0/24", "via", TestNetwork.peerAddress)
    try network.inPeer("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    try network.inPeer("ip", "route", "replace", "unreachable", "198.51.100.0/24")
    let run = try await ping("198.51.100.1", .near())
    #expect(try await run.outcome() == .refused("host unreachable, says 192.0.2.2"))
    run.close()
  }

  @Test func `a probe that the kernel does not send is reported with the kernel's error`() async throws {
    // A socket that is bound to a device needs no route: the kernel takes every target for one on the link.
    let down = try await ping(TestNetwork.peerAddress, .near())
    try TestProcess.run("ip", "link", "set", TestNetwork.near, "down")
    #expect(try await down.outcome() == .couldNotSend("send to 192.0.2.2 by io-near: Network is unreachable"))
    try TestProcess.run("ip", "link", "set", TestNetwork.near, "up")
    let noDevice = try await ping(TestNetwork.peerAddress, ProbeBinding("io-none", TestNetwork.nearAddress))
    #expect(try await noDevice.outcome() == .couldNotSend("bind to device io-none: No such device"))
    let noAddress = try await ping(TestNetwork.peerAddress, .near("192.0.2.77"))
    #expect(
      try await noAddress.outcome() == .couldNotSend("bind to address 192.0.2.77: Cannot assign requested address"))
    for run in [down, noDevice, noAddress] { run.close() }
  }

  @Test func `a device that went and came back is found again at the next send`() async throws {
    let run = try await ping(TestNetwork.peerAddress, .near())
    #expect(try await run.outcome(1).isAnswer)
    try network.removeLink()
    let gone = try await run.outcome(2)
    #expect(gone == .couldNotSend("bind to device io-near: No such device"))
    try network.makeLink()
    #expect(try await run.outcome(3).isAnswer)
    run.close()
  }

  @Test func `an address that went and came back is found again at the next send`() async throws {
    let run = try await ping(TestNetwork.peerAddress, .near(TestNetwork.otherNearAddress))
    #expect(try await run.outcome(1).isAnswer)
    try TestProcess.run("ip", "addr", "del", "\(TestNetwork.otherNearAddress)/24", "dev", TestNetwork.near)
    guard case .couldNotSend = try await run.outcome(2) else {
      Issue.record("sent from an address that is gone")
      return
    }
    try TestProcess.run("ip", "addr", "add", "\(TestNetwork.otherNearAddress)/24", "dev", TestNetwork.near)
    #expect(try await run.outcome(3).isAnswer)
    run.close()
  }

  @Test func `nothing is delivered for a probe that was abandoned or closed`() async throws {
    let run = try await ping("127.0.0.1", .lo())
    loop.enqueue { [probe = run.probe] in
      probe.send(1)
      probe.abandon(1)
      probe.send(2)
    }
    #expect(await run.outcomes.wait(for: 1).map(\.0) == [2])
    loop.enqueue { [probe = run.probe] in
      probe.send(3)
      probe.close()
      probe.send(4)
    }
    try await Task.sleep(for: .milliseconds(50))
    #expect(run.outcomes.all.map(\.0) == [2])
  }

  @Test func `an HTTP probe is answered by the right status and body through its device`() async throws {
    let server = try BadServer("--bind", TestNetwork.peerAddress, within: network.enterPeer)
    let good = try await get(.near(), TestNetwork.peerAddress, server.port, body: "schema")
    #expect(try await good.outcome().isAnswer)
    let status = try await get(.near(), TestNetwork.peerAddress, server.port, "/500")
    #expect(try await status.outcome() == .refused("status 500"))
    let body = try await get(.near(), TestNetwork.peerAddress, server.port, body: "welcome")
    #expect(
      try await body.outcome() == .refused("status 200, but the body does not hold the expected text"))
    let expected = try await get(.near(), TestNetwork.peerAddress, server.port, "/404", statuses: [404])
    #expect(try await expected.outcome().isAnswer)
    let redirect = try await get(.near(), TestNetwork.peerAddress, server.port, "/redirect")
    #expect(try await redirect.outcome() == .refused("status 302"))
    let endless = try await get(.near(), TestNetwork.peerAddress, server.port, "/endless", body: "[[[")
    #expect(try await endless.outcome().isAnswer)
    for path in ["/huge-header", "/garbage", "/hang-up", "/many-headers"] {
      let run = try await get(.near(), TestNetwork.peerAddress, server.port, path)
      guard case .refused = try await run.outcome() else {
        Issue.record("\(path): \(run.outcomes.all)")
        return
      }
    }
  }

  @Test func `an HTTP probe tells refused, silence and "could not send" apart`() async throws {
    let closed = try await get(.near(), TestNetwork.peerAddress, 9)
    #expect(try await closed.outcome() == .refused("could not connect: Connection refused"))
    try TestProcess.run("ip", "link", "set", TestNetwork.near, "down")
    let down = try await get(.near(), TestNetwork.peerAddress, 80)
    #expect(try await down.outcome() == .couldNotSend("could not connect: Network is unreachable"))
    try TestProcess.run("ip", "link", "set", TestNetwork.near, "up")
    let noDevice = try await get(ProbeBinding("io-none", TestNetwork.nearAddress), TestNetwork.peerAddress, 80)
    #expect(try await noDevice.outcome() == .couldNotSend("bind to device io-none: No such device"))
    let noAddress = try await get(.near("192.0.2.77"), TestNetwork.peerAddress, 80)
    #expect(
      try await noAddress.outcome() == .couldNotSend("bind to the source address: Cannot assign requested address"))
    let nobody = try await get(.near(), TestNetwork.nobody, 80, timeout: .milliseconds(100))
    let server = try BadServer("--bind", TestNetwork.peerAddress, within: network.enterPeer)
    let loris = try await get(
      .near(), TestNetwork.peerAddress, server.port, "/slow-loris", timeout: .milliseconds(100))
    for run in [nobody, loris] { run.send(1) }
    try await Task.sleep(for: .milliseconds(400))
    for run in [nobody, loris] { #expect(run.outcomes.all.isEmpty) }
  }
}
