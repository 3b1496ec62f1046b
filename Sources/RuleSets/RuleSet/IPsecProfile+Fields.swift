extension IPsecProfile: Described {
  package static let blank = IPsecProfile(name: .blank, authentication: .psk(file: nil), remoteID: .blank)

  private static let kindForm = Form<Authentication.Word>.choice(unsupported: [
    "pubkey": "did you mean \"certificate\"?", "x509": "did you mean \"certificate\"?",
    "eap": "a router has no user who could type a password",
  ])
  private static let secretKeys = [
    "psk", "secret", "key", "password", "passphrase", "shared_key", "pre_shared_key", "private_key",
  ]

  package mutating func fields(_ fields: Fields) {
    /// What tunnels call it.
    fields.name(&name, of: .profiles)
    /// The same at both ends.
    let kind = fields.kind("auth", Self.kindForm, &authentication.word)
    fields.only(.psk, of: kind) {
      /// Holds the pre-shared key, up to 4,096 bytes; a line end after it does not count.
      /// - Default: `ipsec.psk_file` of the local configuration
      fields.optional("psk_file", .secretFile, &authentication.keyFile)
    }
    fields.only(.certificate, of: kind) { authentication.files.fields(fields) }
    /// This router's identity. If its certificate does not confirm it, charon sends the certificate's subject instead.
    /// - Default: the device's name
    fields.optional("local_id", .identity, &localID)
    /// The identity that the hub must prove.
    fields.required("remote_id", .identity, &remoteID)
    /// In order of preference.
    /// - Default: the safe ones that charon has
    fields.list("ike_proposals", 1...16, of: .proposal(for: .ike), &ikeProposals)
    /// In order of preference.
    /// - Default: the safe ones that charon has
    fields.list("esp_proposals", 1...16, of: .proposal(for: .esp), &espProposals)
    /// How often IKE's own keys are renewed; at random up to a tenth earlier. Traffic does not stop for it.
    fields.standard("ike_rekey_seconds", .seconds(RuleSetBounds.rekey), &ikeRekey)
    /// The same for the keys that encrypt the traffic.
    fields.standard("child_rekey_seconds", .seconds(RuleSetBounds.rekey), &childRekey)
    /// How often both ends authenticate again: for certificates that expire or are revoked. The new SAs are up before the
    /// old ones go.
    /// - Default: never
    fields.optional("reauth_seconds", .seconds(RuleSetBounds.rekey), &reauthentication)
    /// How long a hub may be silent until charon asks whether it is there. Traffic does not wait for that: probes move it
    /// much sooner.
    fields.standard("dpd_delay_seconds", .seconds(1...3_600), &deadPeerDetection)
    /// ESP in UDP (RFC 3948): where a NAT is in between, or always, for networks that drop ESP. It costs 8 bytes a packet.
    fields.standard("udp_encapsulation", .choice(), &udpEncapsulation)
  }

  package static func refusal(of key: String, in kind: String?, known kinds: [String]) -> String? {
    // A secret in the document would be in the cache, in backups and in every log of the orchestrator.
    if secretKeys.contains(key) {
      return "a rule set holds no secret: put it into a file of the secrets directory and name that"
    }
    return kinds.first.map { "only auth \(quoted($0)) has it" }
  }
}

extension CertificateFiles {
  fileprivate mutating func fields(_ fields: Fields) {
    /// This router's certificate, PEM or DER.
    /// - Default: `ipsec.certificate_file`
    fields.optional("certificate_file", .secretFile, &certificate)
    /// Its private key: RSA, ECDSA or Ed25519. Set it together with `certificate_file`: both or neither.
    /// - Default: `ipsec.key_file`
    fields.optional("key_file", .secretFile, &key)
    /// The authority that must have issued the hub's certificate. Other authorities that charon trusts for other
    /// connections do not count here.
    /// - Default: `ipsec.authority_file`
    fields.optional("authority_file", .secretFile, &authority)
    // One of the two and the local configuration's other one would not belong together.
    fields.bothOrNeither("certificate_file", "key_file", because: "a certificate and its key go together")
  }
}

/// What kinds hold, as the document's fields: where another kind is set, to set one has no effect.
extension IPsecProfile.Authentication {
  /// The words that `auth` may have.
  enum Word: String, CaseIterable, Writable { case psk, certificate }

  fileprivate var word: Word {
    get {
      switch self {
      case .psk: .psk
      case .certificate: .certificate
      }
    }
    set {
      guard newValue != word else { return }
      self =
        switch newValue {
        case .psk: .psk(file: nil)
        case .certificate: .certificate(CertificateFiles())
        }
    }
  }

  fileprivate var keyFile: SecretFileName? {
    get { if case .psk(let file) = self { file } else { nil } }
    set { if case .psk = self { self = .psk(file: newValue) } }
  }

  fileprivate var files: CertificateFiles {
    get { if case .certificate(let files) = self { files } else { CertificateFiles() } }
    set { if case .certificate = self { self = .certificate(newValue) } }
  }
}
