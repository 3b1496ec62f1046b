import Agent
import Core
internal import RuleSets
import Testing
import VICI

@testable import System

/// What charon is asked, and how its answers are read, message by message.
@Suite struct CharonMessagesTests {
  /// As a line of swanctl.conf: `name { a = b, list = [x y], … }`.
  private func text(_ message: VICIMessage) -> [String] {
    message.members.flatMap { member -> [String] in
      switch member.value {
      case .bytes(let bytes): ["\(member.name) = \(String(decoding: bytes, as: UTF8.self))"]
      case .list(let items):
        ["\(member.name) = [\(items.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " "))]"]
      case .section(let section): text(section).map { "\(member.name).\($0)" }
      }
    }
  }

  private func connection(_ mode: IKEConnection.Mode = .tunnel(interfaceID: 0x0120_0000)) throws -> IKEConnection {
    IKEConnection(
      tunnel: IKETestName.fra, mode: mode, local: try #require(IPv4Address("192.0.2.2")),
      remote: try #require(IPv4Address("203.0.113.2")), localID: try #require(IKEIdentity("branch-017")),
      remoteID: try #require(IKEIdentity("hub.example")), credentials: .psk(file: "/psk"), ikeRekey: .seconds(14_400),
      childRekey: .seconds(300))
  }

  private func proposals(_ text: String, _ use: ProposalUse) throws -> [Proposal] {
    [try Proposal.parse(text, for: use)]
  }

  private func lines(_ connection: IKEConnection, _ secrets: CharonCredentials.Content = .psk([1])) throws -> [String] {
    text(
      CharonMessages.connection(
        connection, secrets, ike: try proposals("aes256gcm16-prfsha384-x25519", .ike),
        esp: try proposals("aes256gcm16-x25519", .esp))
    ).map { $0.replacing("backhaul-fra-a.", with: "") }
  }

  @Test func aConnectionWithAPreSharedKey() throws {
    #expect(
      try lines(connection()) == [
        "version = 2", "local_addrs = [192.0.2.2]", "remote_addrs = [203.0.113.2]",
        "proposals = [aes256gcm16-prfsha384-x25519]", "mobike = no", "encap = no", "dpd_delay = 10s",
        "keyingtries = 0", "unique = no", "rekey_time = 14400s", "reauth_time = 0s", "over_time = 1440s",
        "rand_time = 1440s", "send_cert = always", "local.id = branch-017", "local.auth = psk",
        "remote.id = hub.example", "remote.auth = psk", "children.fra-a.mode = tunnel",
        "children.fra-a.local_ts = [0.0.0.0/0]", "children.fra-a.remote_ts = [0.0.0.0/0]",
        "children.fra-a.if_id_in = 18874368", "children.fra-a.if_id_out = 18874368",
        "children.fra-a.esp_proposals = [aes256gcm16-x25519]", "children.fra-a.rekey_time = 300s",
        "children.fra-a.life_time = 360s", "children.fra-a.rand_time = 30s", "children.fra-a.start_action = none",
        "children.fra-a.dpd_action = restart", "children.fra-a.close_action = start",
      ])
  }

  @Test func aConnectionWithACertificateForGRE() throws {
    var connection = try connection(.transport(protocol: 47))
    (connection.isAlwaysInUDP, connection.sharesIDs, connection.reauthentication) = (true, true, .seconds(86_400))
    connection.deadPeerDetection = .seconds(3)
    let plain = try Set(lines(self.connection()))
    #expect(
      try lines(connection, .certificate(Array("US".utf8), key: [9], authority: Array("CA".utf8))).filter {
        !plain.contains($0)
      } == [
        "encap = yes", "dpd_delay = 3s", "unique = never", "reauth_time = 86400s", "local.auth = pubkey",
        "local.certs = [US]", "remote.auth = pubkey", "remote.cacerts = [CA]", "children.fra-a.mode = transport",
        "children.fra-a.local_ts = [dynamic[47]]", "children.fra-a.remote_ts = [dynamic[47]]",
      ])
  }

  @Test func shortRekeyingLeavesTimeForIt() throws {
    var connection = try connection()
    (connection.ikeRekey, connection.childRekey) = (.seconds(5), .seconds(5))
    let lines = try lines(connection)
    for expected in ["over_time = 60s", "children.fra-a.life_time = 65s"] { #expect(lines.contains(expected)) }
  }

  @Test func whatGoesIsNamedAsOurs() throws {
    let all = CharonMessages.unloading(IKETestName.fra)
    #expect(
      all.map { "\($0.command): \(text($0.message))" } == [
        #"terminate: ["ike = backhaul-fra-a", "force = yes", "timeout = -1"]"#,
        #"unload-conn: ["name = backhaul-fra-a"]"#, #"unload-shared: ["id = backhaul-fra-a"]"#,
      ])
  }

  @Test func theSharedKeyBelongsToBothIDs() throws {
    let messages = CharonCredentials.Content.psk(Array("key".utf8)).messages(for: try connection())
    #expect(messages.map(\.command) == ["load-shared"])
    #expect(
      text(messages[0].message) == [
        "id = backhaul-fra-a", "type = IKE", "data = key", "owners = [branch-017 hub.example]",
      ])
  }

  // MARK: SAs

  private let now = Instant(nanoseconds: 10_000_000_000_000)

  /// As 5.9.8 and 6.0 report an SA (vici_query.c).
  private func sa(_ change: (inout VICIMessage) -> Void = { _ in }) -> VICIMessage {
    VICIMessage {
      $0.set("uniqueid", "7")
      $0.set("version", "2")
      $0.set("state", "ESTABLISHED")
      $0.set("local-host", "192.0.2.2")
      $0.set("local-id", "branch-017")
      $0.set("remote-host", "203.0.113.2")
      $0.set("remote-id", "hub.example")
      $0.set("nat-local", true)
      $0.set("nat-any", true)
      $0.set("encr-alg", "AES_GCM_16")
      $0.set("encr-keysize", "256")
      $0.set("prf-alg", "PRF_HMAC_SHA2_384")
      $0.set("dh-group", "ECP_384")
      $0.set("established", "100")
      $0.set("rekey-time", "13000")
      $0.set("reauth-time", "86000")
      $0.section("child-sas") {
        $0.section("fra-a-12") {
          $0.set("name", "fra-a")
          $0.set("uniqueid", "12")
          $0.set("state", "INSTALLED")
          $0.set("mode", "TUNNEL")
          $0.set("protocol", "ESP")
          $0.set("encap", true)
          $0.set("if-id-in", "01200000")
          $0.set("encr-alg", "AES_CBC")
          $0.set("encr-keysize", "128")
          $0.set("integ-alg", "HMAC_SHA2_256_128")
          $0.set("bytes-in", "18446744073709551615")
          $0.set("bytes-out", "84")
          $0.set("rekey-time", "3200")
          $0.set("install-time", "40")
        }
      }
      change(&$0)
    }
  }

  private func read(_ message: VICIMessage) -> TunnelAssociations {
    var found = TunnelAssociations()
    CharonMessages.add(message, to: &found, at: now)
    return found
  }

  @Test func anSAAsCharonTellsIt() throws {
    let found = read(sa())
    #expect(
      found.ike
        == IKEAssociation(
          number: 7, state: .established, local: IPv4Address("192.0.2.2"), localID: "branch-017",
          remoteID: "hub.example", hasNAT: true, cipher: "AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384",
          established: now + .seconds(-100), nextRekey: now + .seconds(13_000),
          nextReauthentication: now + .seconds(86_000)))
    let esp = try #require(ESPTransform(encryption: "AES_CBC", keyBits: 128, integrity: "HMAC_SHA2_256_128"))
    #expect(
      found.child
        == ChildAssociation(
          number: 12, state: .installed, mode: "tunnel", cipher: "AES_CBC-128/HMAC_SHA2_256_128",
          encapsulation: ESPEncapsulation(esp, isInUDP: true), isInUDP: true, installed: now + .seconds(-40),
          nextRekey: now + .seconds(3_200), bytesIn: .max, bytesOut: 84))
    #expect(found.isUp)
  }

  @Test func whatCharonLeavesOutIsUnknown() {
    let found = read(VICIMessage { $0.set("state", "CONNECTING") })
    #expect(found.ike == IKEAssociation(number: 0, state: .connecting))
    #expect(found.child == nil)
  }

  @Test func anSAInAStateThatNobodyKnowsIsNone() {
    #expect(read(sa { $0.set("state", "DREAMING") }) == TunnelAssociations())
    #expect(read(VICIMessage()) == TunnelAssociations())
  }

  @Test(
    "absurd numbers are bounded",
    arguments: ["", "-1", "x", "9223372036854775807", "-9223372036854775808", "99999999999999999999999", "1e9"])
  func oddNumbers(_ text: String) {
    let found = read(
      sa { section in
        for name in ["uniqueid", "established", "rekey-time", "reauth-time"] { section.set(name, text) }
        section.section("child-sas") { children in
          children.section("fra-a-12") {
            for name in ["uniqueid", "bytes-in", "bytes-out", "rekey-time", "install-time", "encr-keysize"] {
              $0.set(name, text)
            }
          }
        }
      })
    #expect(found.isUp, "what is odd about it does not hide it")
    for time in [found.ike?.established, found.ike?.nextRekey, found.child?.installed, found.child?.nextRekey] {
      if let time { #expect(abs((time - now).inSeconds) <= 3_153_600_000, "a century") }
    }
  }

  @Test func unknownAlgorithmsHaveNoSize() {
    let found = read(
      sa { section in
        section.section("child-sas") { $0.section("fra-a-12") { $0.set("encr-alg", "ROT13") } }
      })
    #expect(found.isUp)
    #expect(found.child?.encapsulation == nil)
    #expect(found.child?.cipher == "ROT13-128/HMAC_SHA2_256_128")
  }

  @Test func whatAHubCallsItselfIsFitForATerminal() {
    let found = read(sa { $0.set("remote-id", "CN=\u{1b}[2J\n" + String(repeating: "é", count: 5_000)) })
    #expect(found.ike?.remoteID?.hasPrefix("CN=?[2J?") == true)
    #expect(found.ike?.remoteID?.utf8.count == 256)
  }

  @Test func theBestOfSeveral() {
    var found = read(sa { $0.set("state", "REKEYED") })
    CharonMessages.add(sa { $0.set("uniqueid", "8") }, to: &found, at: now)
    CharonMessages.add(sa { $0.set("uniqueid", "3") }, to: &found, at: now)
    #expect(found.ike?.number == 8)
  }
}
