package import RuleSets

/// `[ipsec]`: where charon answers and where the secrets lie that rule sets name.
package struct IPsecConfiguration: Equatable, Sendable {
  /// The Unix socket of charon's VICI plugin.
  package var viciSocket: String
  /// Holds the files that a rule set names.
  package var secretsDirectory: String
  /// charon's own configuration, for `check`.
  package var strongswanConfiguration: String
  /// For profiles that name none of their own; absolute paths.
  package var pskFile: String?
  package var certificateFile: String?
  package var keyFile: String?
  package var authorityFile: String?

  package init(
    viciSocket: String = "/run/charon.vici", secretsDirectory: String = "/etc/backhaul/secrets",
    strongswanConfiguration: String = "/etc/strongswan.conf", pskFile: String? = nil, certificateFile: String? = nil,
    keyFile: String? = nil, authorityFile: String? = nil
  ) {
    self.viciSocket = viciSocket
    self.secretsDirectory = secretsDirectory
    self.strongswanConfiguration = strongswanConfiguration
    self.pskFile = pskFile
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.authorityFile = authorityFile
  }

  /// Where a file that a rule set names lies; nil: the local configuration's own, if any.
  package func path(of file: SecretFileName?, or standard: String?) -> String? {
    file.map { "\(secretsDirectory)/\($0)" } ?? standard
  }
}

enum IPsecConfigurationReader {
  private static let keys = [
    "vici_socket", "secrets_directory", "strongswan_conf", "psk_file", "certificate_file", "key_file",
    "authority_file",
  ]

  private static let refused = Dictionary(
    uniqueKeysWithValues: ["psk", "secret", "key", "password"].map {
      (
        $0,
        "keep a secret in a file of its own, which only the agent's user can read, and name it in \"psk_file\" or "
          + "\"key_file\""
      )
    })

  /// A path; a refusal repeats it only if it looks like one.
  private static let secretPath: Form<String> = {
    let path = Form.absolutePath(atMost: 4000)
    return Form(path.expected) { value in
      if case .string(let text) = value, text.hasPrefix("/") { return path.read(value) }
      return .mayBeTheSecret
    }
  }()

  static func read(_ top: FieldReader) -> IPsecConfiguration? {
    let standard = IPsecConfiguration()
    guard let value = top["ipsec"] else { return standard }
    guard let fields = FieldReader(value, at: "ipsec", keys: keys, refused: refused, book: top.book) else { return nil }
    // sun_path has 108 bytes, the last one is 0 (unix(7)).
    let socket = fields.value("vici_socket", .absolutePath(atMost: 107), default: standard.viciSocket)
    let secrets = fields.value("secrets_directory", .absolutePath(atMost: 3900), default: standard.secretsDirectory)
    let conf = fields.value("strongswan_conf", .absolutePath(atMost: 4000), default: standard.strongswanConfiguration)
    let psk = fields.optional("psk_file", secretPath)
    let certificate = fields.optional("certificate_file", .absolutePath(atMost: 4000))
    let key = fields.optional("key_file", secretPath)
    let authority = fields.optional("authority_file", .absolutePath(atMost: 4000))
    if (fields["certificate_file"] == nil) != (fields["key_file"] == nil) {
      let missing = fields["key_file"] == nil ? "key_file" : "certificate_file"
      fields.complain(missing, "missing; set a certificate and its key together")
    }
    guard let socket, let secrets, let conf else { return nil }
    return IPsecConfiguration(
      viciSocket: socket, secretsDirectory: secrets, strongswanConfiguration: conf, pskFile: psk,
      certificateFile: certificate, keyFile: key, authorityFile: authority)
  }
}
