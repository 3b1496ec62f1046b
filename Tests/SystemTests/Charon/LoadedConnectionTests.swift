import Agent
import Core
import Fakes
internal import RuleSets
import Testing
import VICI

/// charon has understood what it was given, as `list-conns` shows.
@Suite("What a real charon reports about a connection", .serialized, .timeLimit(.minutes(5)))
struct LoadedConnectionTests {
  private func connection(_ ground: RealCharonGround, _ kind: CharonSecret) async throws -> IKEConnection {
    IKEConnection(
      tunnel: IKETestName.fra, mode: .tunnel(interfaceID: 0x0120_0000), local: try #require(IPv4Address("192.0.2.2")),
      remote: try #require(IPv4Address("203.0.113.2")), localID: try #require(IKEIdentity("branch-017")),
      remoteID: try #require(IKEIdentity("CN=hub, O=Example")), credentials: try await ground.credentials(kind),
      ikeRekey: .seconds(7_200), childRekey: .seconds(1_800), deadPeerDetection: .seconds(7))
  }

  private func load(_ connection: IKEConnection, on ground: RealCharonGround) async throws -> VICIMessage {
    _ = try await ground.charon.connect { _ in }
    try await ground.charon.apply(.load(connection))
    return try #require(try ground.listed(connection.name))
  }

  /// The intended keys, as far as this version of charon reports them.
  private func expect(_ message: VICIMessage, _ values: KeyValuePairs<String, String>) {
    for (name, expected) in values {
      let list = message.list(name)
      let found = message.text(name) ?? (list.isEmpty ? nil : list.joined(separator: " "))
      #expect(found == expected, "\(name)")
    }
  }

  @Test func withAPreSharedKey() async throws {
    try await RealCharonGround.with { ground in
      let message = try await load(connection(ground, .psk), on: ground)
      expect(
        message,
        [
          "version": "IKEv2", "local_addrs": "192.0.2.2", "remote_addrs": "203.0.113.2", "rekey_time": "7200",
          "reauth_time": "0", "dpd_delay": "7", "unique": "UNIQUE_NO",
        ])
      expect(try #require(message.section("local-1")), ["class": "pre-shared key", "id": "branch-017"])
      expect(try #require(message.section("remote-1")), ["class": "pre-shared key", "id": "CN=hub, O=Example"])
      let children = try #require(message.section("children")).sections
      #expect(children.map(\.name) == ["fra-a"])
      expect(
        children[0].message,
        [
          "mode": "TUNNEL", "rekey_time": "1800", "local-ts": "0.0.0.0/0", "remote-ts": "0.0.0.0/0",
          "dpd_action": "start", "close_action": "start",
        ])
      #expect(
        try ground.asking { try $0.request("get-shared", timeout: .seconds(10)).list("keys") } == ["backhaul-fra-a"])
    }
  }

  @Test func withACertificateForGRE() async throws {
    try await RealCharonGround.with { ground in
      var connection = try await connection(ground, .certificate)
      connection.mode = .transport(protocol: 47)
      connection.reauthentication = .seconds(86_400)
      (connection.sharesIDs, connection.isAlwaysInUDP) = (true, true)
      let message = try await load(connection, on: ground)
      expect(message, ["reauth_time": "86400", "unique": "UNIQUE_NEVER"])
      let local = try #require(message.section("local-1"))
      expect(local, ["class": "public key", "id": "branch-017", "certs": "CN=branch-017"])
      expect(
        try #require(message.section("remote-1")),
        ["class": "public key", "id": "CN=hub, O=Example", "cacerts": "CN=CA"])
      expect(
        try #require(message.section("children")?.section("fra-a")),
        ["mode": "TRANSPORT", "local-ts": "dynamic[gre]", "remote-ts": "dynamic[gre]"])
      #expect(try ground.asking { try $0.request("get-keys", timeout: .seconds(10)).list("keys") }.count == 1)
    }
  }

  @Test func forIPIP() async throws {
    try await RealCharonGround.with { ground in
      var connection = try await connection(ground, .psk)
      connection.mode = .transport(protocol: 4)
      let message = try await load(connection, on: ground)
      let child = try #require(message.section("children")?.section("fra-a"))
      #expect(child.list("local-ts") == child.list("remote-ts"))
      #expect(["dynamic[ipencap]", "dynamic[4]", "dynamic[ipv4]"].contains(child.list("local-ts").first))
    }
  }

  @Test func keysThatAreNotNeededAnyMoreAreTakenBack() async throws {
    try await RealCharonGround.with { ground in
      func keys() throws -> [Int] {
        try ground.asking { session in
          try ["get-shared", "get-keys"].map { try session.request($0, timeout: .seconds(10)).list("keys").count }
        }
      }
      _ = try await ground.charon.connect { _ in }
      let psk = try await connection(ground, .psk)
      let certificate = try await connection(ground, .certificate)
      var twin = certificate
      twin.tunnel = IKETestName.name("ams")
      try await ground.charon.apply(.load(psk))
      #expect(try keys() == [1, 0])
      try await ground.charon.apply(.load(certificate))
      #expect(try keys() == [0, 1])
      try await ground.charon.apply(.load(twin))
      try await ground.charon.apply(.load(psk))
      #expect(try keys() == [1, 1], "another tunnel has the same private key")
      try await ground.charon.apply(.unload(twin.tunnel))
      #expect(try keys() == [1, 0])
      try await ground.charon.apply(.unload(psk.tunnel))
      #expect(try keys() == [0, 0])
    }
  }

  @Test func everyProposalThatWeWouldOfferIsTaken() async throws {
    try await RealCharonGround.with { ground in
      _ = try await ground.charon.connect { _ in }
      // With no proposals given, the safe ones among what this charon has.
      try await ground.charon.apply(.load(connection(ground, .psk)))
      for (ike, esp) in [
        ("aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256-ecp384", "aes256gcm16-aes128gcm16-x25519-ecp384"),
        ("aes256-sha256-modp2048", "aes128-sha256"),
        ("aes256-sha512-prfsha512-ecp521", "aes256-sha512-ecp521-esn-noesn"),
        ("chacha20poly1305-prfsha256-x25519", "chacha20poly1305-x25519-none"),
      ] {
        var connection = try await connection(ground, .psk)
        connection.ikeProposals = [try Proposal.parse(ike, for: .ike)]
        connection.espProposals = [try Proposal.parse(esp, for: .esp)]
        try await ground.charon.apply(.load(connection))
      }
    }
  }
}
