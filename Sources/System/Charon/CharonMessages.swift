internal import Agent
internal import Core
internal import RuleSets
internal import VICI

/// Core's words for connections and SAs, and VICI's (swanctl.conf(5); strongSwan's
/// src/libcharon/plugins/vici/README.md).
enum CharonMessages {
  /// What is listened to. Only `log` says why a negotiation failed, in every version.
  static let events = ["ike-updown", "ike-rekey", "ike-update", "child-updown", "child-rekey", "log"]
  /// In answer to `list-sas`, one for each IKE_SA.
  static let associationEvent = "list-sa"

  // MARK: Connections

  static func connection(
    _ connection: IKEConnection, _ secrets: CharonCredentials.Content, ike: [Proposal], esp: [Proposal]
  ) -> VICIMessage {
    VICIMessage {
      $0.section(connection.name) { message in
        message.set("version", 2)
        // Without it charon would ask the main table for an address, and take another uplink's.
        message.set("local_addrs", [connection.local.description])
        message.set("remote_addrs", [connection.remote.description])
        message.set("proposals", ike.map(\.text))
        // It would take the SA over to another uplink, and the tunnel belongs to one. A new address is a new connection.
        message.set("mobike", false)
        message.set("encap", connection.isAlwaysInUDP)
        message.set("dpd_delay", seconds(connection.deadPeerDetection))
        // For ever: a hub that comes back is met by the next packet, also while the agent is away.
        message.set("keyingtries", 0)
        message.set("unique", connection.sharesIDs ? "never" : "no")
        message.set("rekey_time", seconds(connection.ikeRekey))
        message.set("reauth_time", seconds(connection.reauthentication ?? .zero))
        message.set("over_time", seconds(grace(after: connection.ikeRekey)))
        message.set("rand_time", seconds(connection.ikeRekey / 10))
        message.set("send_cert", "always")
        authentication(connection, secrets, &message)
        message.section("children") { $0.section(connection.tunnel.text) { child(connection, esp, &$0) } }
      }
    }
  }

  /// Ends the SAs and forgets connection and pre-shared key, each whether or not it is there.
  static func unloading(_ tunnel: Name) -> [(command: String, message: VICIMessage)] {
    let name = IKEConnection.prefix + tunnel.text
    return [
      ("terminate", terminating(tunnel)),
      ("unload-conn", VICIMessage { $0.set("name", name) }),
      ("unload-shared", VICIMessage { $0.set("id", name) }),
    ]
  }

  /// The hub is told, without waiting for its answer.
  static func terminating(_ tunnel: Name) -> VICIMessage {
    VICIMessage {
      $0.set("ike", IKEConnection.prefix + tunnel.text)
      $0.set("force", true)
      $0.set("timeout", -1)
    }
  }

  private static func authentication(
    _ connection: IKEConnection, _ secrets: CharonCredentials.Content, _ message: inout VICIMessage
  ) {
    message.section("local") { local in
      local.set("id", connection.localID.text)
      switch secrets {
      case .psk: local.set("auth", "psk")
      case .certificate(let certificate, _, _):
        local.set("auth", "pubkey")
        local.set("certs", items: [certificate])
      }
    }
    message.section("remote") { remote in
      remote.set("id", connection.remoteID.text)
      switch secrets {
      case .psk: remote.set("auth", "psk")
      case .certificate(_, _, let authority):
        remote.set("auth", "pubkey")
        remote.set("cacerts", items: [authority])
      }
    }
  }

  private static func child(_ connection: IKEConnection, _ proposals: [Proposal], _ message: inout VICIMessage) {
    switch connection.mode {
    case .tunnel(let interfaceID):
      message.set("mode", "tunnel")
      message.set("local_ts", ["0.0.0.0/0"])
      message.set("remote_ts", ["0.0.0.0/0"])
      message.set("if_id_in", Int(interfaceID))
      message.set("if_id_out", Int(interfaceID))
    case .transport(let number):
      message.set("mode", "transport")
      message.set("local_ts", ["dynamic[\(number)]"])
      message.set("remote_ts", ["dynamic[\(number)]"])
    }
    message.set("esp_proposals", proposals.map(\.text))
    message.set("rekey_time", seconds(connection.childRekey))
    message.set("life_time", seconds(connection.childRekey + grace(after: connection.childRekey)))
    message.set("rand_time", seconds(connection.childRekey / 10))
    // The agent asks for the SA when the kernel is ready for it; from then on charon sees to it, agent or not.
    message.set("start_action", "none")
    message.set("dpd_action", "restart")
    message.set("close_action", "start")
  }

  /// How long keys that were not replaced in time may still be used. charon's default of a tenth leaves short-lived
  /// ones no time for a lost packet.
  private static func grace(after rekey: Duration) -> Duration { max(rekey / 10, .seconds(60)) }

  private static func seconds(_ duration: Duration) -> String { "\(duration.components.seconds)s" }

  // MARK: SAs

  /// Takes in one IKE_SA of `list-sas`. `now` is when charon told its ages.
  static func add(_ section: VICIMessage, to associations: inout TunnelAssociations, at now: Instant) {
    guard let state = section.text("state").flatMap({ IKEAssociation.State(rawValue: $0) }) else { return }
    let ike = IKEAssociation(
      number: number(section, "uniqueid"), state: state, local: section.text("local-host").flatMap { IPv4Address($0) },
      localID: section.words("local-id"), remoteID: section.words("remote-id"), hasNAT: section.flag("nat-any"),
      cipher: cipher(section, ["encr-alg", "integ-alg", "prf-alg", "dh-group"]),
      established: time(section, "established", before: now), nextRekey: time(section, "rekey-time", after: now),
      nextReauthentication: time(section, "reauth-time", after: now))
    let children = section.section("child-sas")?.sections.compactMap { child($0.message, at: now) } ?? []
    associations.add(ike, children: children)
  }

  private static func child(_ section: VICIMessage, at now: Instant) -> ChildAssociation? {
    guard let state = section.text("state").flatMap({ ChildAssociation.State(rawValue: $0) }) else { return nil }
    let isInUDP = section.flag("encap")
    let transform = section.text("encr-alg").flatMap {
      ESPTransform(encryption: $0, keyBits: section.integer("encr-keysize"), integrity: section.text("integ-alg"))
    }
    return ChildAssociation(
      number: number(section, "uniqueid"), state: state, mode: (section.words("mode") ?? "").lowercased(),
      cipher: cipher(section, ["encr-alg", "integ-alg"]),
      encapsulation: transform.map { ESPEncapsulation($0, isInUDP: isInUDP) }, isInUDP: isInUDP,
      installed: time(section, "install-time", before: now), nextRekey: time(section, "rekey-time", after: now),
      bytesIn: section.text("bytes-in").flatMap { UInt64($0) } ?? 0,
      bytesOut: section.text("bytes-out").flatMap { UInt64($0) } ?? 0)
  }

  private static func number(_ section: VICIMessage, _ name: String) -> UInt32 {
    section.text(name).flatMap { UInt32($0) } ?? 0
  }

  /// Nil while nothing is negotiated.
  private static func cipher(_ section: VICIMessage, _ names: [String]) -> String? {
    let parts = names.compactMap { name in
      section.words(name).map { text in
        name == "encr-alg" ? text + (section.integer("encr-keysize").map { "-\($0)" } ?? "") : text
      }
    }
    return parts.isEmpty ? nil : parts.joined(separator: "/")
  }

  private static func time(_ section: VICIMessage, _ name: String, before now: Instant) -> Instant? {
    seconds(section, name).map { now + .seconds(-$0) }
  }

  private static func time(_ section: VICIMessage, _ name: String, after now: Instant) -> Instant? {
    seconds(section, name).map { now + .seconds($0) }
  }

  /// Bounded: nothing of a century can be right, and none shall overflow.
  private static func seconds(_ section: VICIMessage, _ name: String) -> Int64? {
    section.text(name).flatMap { Int64($0) }.map { min(max($0, 0), 3_153_600_000) }
  }

  // MARK: Events

  static func events(_ name: String, _ message: VICIMessage) -> [CharonEvent] {
    if name != "log" {
      return message.sections.compactMap { IKEConnection.tunnel(ofConnection: $0.name).map { .changed($0) } }
    }
    guard let tunnel = message.text("ikesa-name").flatMap({ IKEConnection.tunnel(ofConnection: $0) }),
      let trouble = message.text("msg").flatMap({ IKETrouble.recognised(in: $0) })
    else { return [] }
    return [.trouble(tunnel, trouble)]
  }
}

extension VICIMessage {
  /// Fit to be shown to people, whatever a hub calls itself: one line of no terminal's commands, and not of any length.
  func words(_ name: String) -> String? {
    text(name).map { text in
      String(String.UnicodeScalarView(text.unicodeScalars.prefix(256).map { (" "..."~").contains($0) ? $0 : "?" }))
    }
  }
}

extension CharonAlgorithms {
  /// The answer of get-algorithms.
  init(_ message: VICIMessage) {
    self.init(sections: message.sections.map { ($0.name, $0.message.members.map(\.name)) })
  }
}
