/// IPsec profiles: who proves what to whom, and with which keys.
extension RuleSetDraft {
  private enum Authentication: String, CaseIterable, Sendable {
    case psk, certificate

    var ownKeys: [String] {
      switch self {
      case .psk: ["psk_file"]
      case .certificate: ["certificate_file", "key_file", "authority_file"]
      }
    }

    var refused: [String: String] {
      let other = self == .psk ? Authentication.certificate : .psk
      return Dictionary(uniqueKeysWithValues: other.ownKeys.map { ($0, "only auth \"\(other.rawValue)\" has it") })
    }
  }

  private static let commonProfileKeys = [
    "name", "auth", "local_id", "remote_id", "ike_proposals", "esp_proposals", "ike_rekey_seconds",
    "child_rekey_seconds", "reauth_seconds", "dpd_delay_seconds", "udp_encapsulation",
  ]
  private static let authenticationForm = Form<Authentication>.choice(unsupported: [
    "pubkey": "did you mean \"certificate\"?", "x509": "did you mean \"certificate\"?",
    "eap": "a router has no user who could type a password",
  ])
  /// A secret in the document would be in the cache, in backups and in every log of the orchestrator.
  private static let noSecret = "a rule set holds no secret: put it into a file of the secrets directory and name that"

  private static let secretKeys = [
    "psk", "secret", "key", "password", "passphrase", "shared_key", "pre_shared_key", "private_key",
  ]

  mutating func readProfiles(_ top: FieldReader) {
    profiles = top.objects("ipsec_profiles", 0...RuleSetBounds.profiles) { readProfile($0, $1, at: $2) }
  }

  private mutating func readProfile(_ index: Int, _ value: DocumentValue, at path: String) -> IPsecProfile? {
    let kind: Authentication? = value.word("auth")
    var refused = kind?.refused ?? [:]
    for key in Self.secretKeys { refused[key] = Self.noSecret }
    guard
      let fields = FieldReader(
        value, at: path, keys: Self.commonProfileKeys + (kind?.ownKeys ?? Authentication.allCases.flatMap(\.ownKeys)),
        refused: refused, book: book)
    else { return nil }
    let name = readName(.profiles, index: index, fields)
    _ = fields.required("auth", Self.authenticationForm)
    let localID = fields.optional("local_id", .identity)
    let remoteID = fields.required("remote_id", .identity)
    let ike = fields.list("ike_proposals", 1...RuleSetBounds.proposals, of: .proposal(for: .ike))
    let esp = fields.list("esp_proposals", 1...RuleSetBounds.proposals, of: .proposal(for: .esp))
    complainOfRepetition(ike) { "\(fields.field("ike_proposals"))[\($0)]" }
    complainOfRepetition(esp) { "\(fields.field("esp_proposals"))[\($0)]" }
    let times = readTimes(fields)
    let encapsulation = fields.value(
      "udp_encapsulation", .choice(), default: IPsecProfile.UDPEncapsulation.auto)
    let authentication = kind.map { readAuthentication($0, fields) }
    guard let name, let remoteID, let times, let encapsulation, let authentication else { return nil }
    return IPsecProfile(
      name: name, authentication: authentication, localID: localID, remoteID: remoteID,
      ikeProposals: ike.map(\.value), espProposals: esp.map(\.value), ikeRekey: times.ike, childRekey: times.child,
      reauthentication: times.reauthentication, deadPeerDetection: times.silence, udpEncapsulation: encapsulation)
  }

  private func readAuthentication(_ kind: Authentication, _ fields: FieldReader) -> IPsecProfile.Authentication {
    switch kind {
    case .psk: .psk(file: fields.optional("psk_file", .secretFile))
    case .certificate: .certificate(readCertificateFiles(fields))
    }
  }

  private func readCertificateFiles(_ fields: FieldReader) -> CertificateFiles {
    // One of the two and the local configuration's other one would not belong together.
    if (fields["certificate_file"] == nil) != (fields["key_file"] == nil) {
      let missing = fields["key_file"] == nil ? "key_file" : "certificate_file"
      fields.complain(missing, "missing; a certificate and its key go together")
    }
    return CertificateFiles(
      certificate: fields.optional("certificate_file", .secretFile), key: fields.optional("key_file", .secretFile),
      authority: fields.optional("authority_file", .secretFile))
  }

  private struct Times {
    var ike: Duration
    var child: Duration
    var reauthentication: Duration?
    var silence: Duration
  }

  private func readTimes(_ fields: FieldReader) -> Times? {
    let ike = fields.value("ike_rekey_seconds", .seconds(RuleSetBounds.rekey), default: .seconds(14_400))
    let child = fields.value("child_rekey_seconds", .seconds(RuleSetBounds.rekey), default: .seconds(3_600))
    let reauthentication = fields.optional("reauth_seconds", .seconds(RuleSetBounds.rekey))
    let silence = fields.value("dpd_delay_seconds", .seconds(RuleSetBounds.deadPeerDetection), default: .seconds(10))
    guard let ike, let child, let silence else { return nil }
    return Times(ike: ike, child: child, reauthentication: reauthentication, silence: silence)
  }

  /// What profiles and tunnels say together.
  func validateProfiles() {
    for tunnel in tunnels {
      guard let profile = tunnel.value.profile else { continue }
      let key = tunnel.value.isIPsec ? "profile" : "protected_by"
      checkReference(profile, to: .profiles, at: "tunnels[\(tunnel.index)].\(key)")
    }
    validateProtection()
    validateSharedKeys()
  }

  /// Transport SAs are chosen by addresses and protocol alone, whatever key GRE has: between two ends there is one, and
  /// all other GRE that goes there would be taken into it. What has the same key, too, is complained of elsewhere.
  private func validateProtection() {
    var seen: [String: Item<Tunnel>] = [:]
    for tunnel in tunnels {
      guard case .gre = tunnel.value.kind else { continue }
      let ends = "\(tunnel.value.hub) \(tunnel.value.uplink?.text ?? "")"
      guard let first = seen[ends] else {
        seen[ends] = tunnel
        continue
      }
      let isProtected = [first, tunnel].map { $0.value.protection != nil }
      guard isProtected.contains(true), first.value.kind != tunnel.value.kind else { continue }
      book.complain(
        "tunnels[\(tunnel.index)]",
        "the same kind, hub and uplink as tunnels[\(first.index)], and "
          + (isProtected.contains(false) ? "one of them is" : "both are")
          + " protected: IPsec takes all gre between two ends into one SA, whatever its key")
    }
  }

  /// Ids and files that the local configuration decides, `RuleSetCheck` looks at.
  private func validateSharedKeys() {
    let used = Set(tunnels.compactMap(\.value.profile))
    var seen: [Set<String>: (file: SecretFileName, index: Int)] = [:]
    for profile in profiles where used.contains(profile.value.name) {
      guard case .psk(let file?) = profile.value.authentication else { continue }
      let owners = profile.value.keyOwners(localID: profile.value.localID)
      if let other = seen[owners], other.file != file {
        book.complain("ipsec_profiles[\(profile.index)]", IPsecProfile.sharesKeyOwners(with: other.index))
      } else {
        seen[owners] = (file, profile.index)
      }
    }
  }
}

extension Form where Value == SecretFileName {
  package static let secretFile = Form(
    "the name of a file in the secrets directory (1 to 64 letters, digits, \".\", \"_\" and \"-\")"
  ) { value in
    guard case .string(let text) = value else { return .mayBeTheSecret }
    if let name = SecretFileName(text) { return .value(name) }
    if text.contains("/") { return .refusedSecret("a name and no path") }
    return text.hasPrefix(".") ? .refusedSecret("no \".\" at its beginning") : .mayBeTheSecret
  }
}

extension Form where Value == IKEIdentity {
  package static let identity = Form("an IKE identity such as hub.example") { value in
    guard case .string(let text) = value else { return .refused() }
    return IKEIdentity(text).map { .value($0) } ?? .refused(hint: IKEIdentity.fault(of: text))
  }
}
