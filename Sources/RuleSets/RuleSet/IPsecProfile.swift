/// How this router and a hub prove who they are to each other and which keys they make: what the IPsec tunnels that name
/// it have in common. It names files and never holds a secret.
package struct IPsecProfile: Equatable, Sendable {
  /// How both ends prove their identity. The rule set names the files; the keys themselves stay on the router.
  package enum Authentication: Equatable, Sendable {
    /// A pre-shared key (RFC 7296 section 2.15), the content of a file; nil: the one of the local configuration.
    case psk(file: SecretFileName?)
    case certificate(CertificateFiles)
  }

  package var name: Name
  package var authentication: Authentication
  /// Who this router says it is; nil: the device's name. Where a certificate does not confirm it, charon takes the
  /// certificate's subject.
  package var localID: IKEIdentity?
  /// Who the hub must prove to be.
  package var remoteID: IKEIdentity
  /// In order of preference; empty: the safe ones of those that charon offers.
  package var ikeProposals: [Proposal]
  package var espProposals: [Proposal]
  package var ikeRekey: Duration
  package var childRekey: Duration
  /// Nil: never; the certificates are looked at when the IKE_SA is made.
  package var reauthentication: Duration?
  /// How long a hub may be silent before charon asks whether it is still there (RFC 3706, RFC 7296 section 2.4).
  package var deadPeerDetection: Duration
  package var udpEncapsulation: UDPEncapsulation

  /// ESP in UDP (RFC 3948).
  package enum UDPEncapsulation: String, CaseIterable, Equatable, Writable {
    /// Only if a NAT is in between.
    case auto
    /// Even if no NAT is seen, for networks that do not pass ESP.
    case always
  }

  package init(
    name: Name, authentication: Authentication, localID: IKEIdentity? = nil, remoteID: IKEIdentity,
    ikeProposals: [Proposal] = [], espProposals: [Proposal] = [], ikeRekey: Duration = .seconds(14_400),
    childRekey: Duration = .seconds(3_600), reauthentication: Duration? = nil,
    deadPeerDetection: Duration = .seconds(10), udpEncapsulation: UDPEncapsulation = .auto
  ) {
    self.name = name
    self.authentication = authentication
    self.localID = localID
    self.remoteID = remoteID
    self.ikeProposals = ikeProposals
    self.espProposals = espProposals
    self.ikeRekey = ikeRekey
    self.childRekey = childRekey
    self.reauthentication = reauthentication
    self.deadPeerDetection = deadPeerDetection
    self.udpEncapsulation = udpEncapsulation
  }
}

/// Files of one certificate authentication (PEM or DER); nil: the one of the local configuration.
package struct CertificateFiles: Equatable, Sendable {
  /// This router's certificate.
  package var certificate: SecretFileName?
  /// Its private key: RSA, ECDSA or Ed25519.
  package var key: SecretFileName?
  /// The authority that the hub's certificate must come from.
  package var authority: SecretFileName?

  package init(certificate: SecretFileName? = nil, key: SecretFileName? = nil, authority: SecretFileName? = nil) {
    self.certificate = certificate
    self.key = key
    self.authority = authority
  }
}

/// The name of a file in the local configuration's `secrets_directory`. A name and never a path: a rule set cannot make
/// the agent read anything else of this router.
package struct SecretFileName: Hashable, Sendable, CustomStringConvertible {
  static let maximumLength = 64
  package let text: String

  /// 1 to 64 letters, digits, `.`, `_` and `-`, not beginning with `.`.
  package init?(_ text: String) {
    let bytes = text.utf8
    guard (1...Self.maximumLength).contains(bytes.count), bytes.first != UInt8(ascii: "."),
      bytes.allSatisfy({ byte in
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
          || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains(byte)
      })
    else { return nil }
    self.text = text
  }

  package var description: String { text }
}

/// An IKE identity as strongSwan writes it (swanctl.conf(5)): a host name, an address, `user@host` or a distinguished
/// name such as `C=CH, O=Example, CN=hub`. Never one that stands for anybody, or for several.
package struct IKEIdentity: Hashable, Sendable, CustomStringConvertible {
  static let maximumLength = 255
  /// Nobody's: what a draft has until the document's identity is read.
  static let blank = IKEIdentity(known: "")
  package let text: String

  private init(known text: String) { self.text = text }

  package init?(_ text: String) {
    guard Self.fault(of: text) == nil else { return nil }
    self.text = text
  }

  /// Why charon would not take a text for one peer's identity (libstrongswan's identification.c); nil where it would.
  static func fault(of text: String) -> String? {
    let bytes = text.utf8
    guard (1...maximumLength).contains(bytes.count), bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }),
      bytes.first != 0x20, bytes.last != 0x20
    else { return "1 to \(maximumLength) printable ASCII characters, no space at either end" }
    let isAnyone = bytes.first == UInt8(ascii: "%") || ["0.0.0.0", "::", "0::0"].contains(text)
    if isAnyone || bytes.contains(UInt8(ascii: "*")) || isRange(text) { return "it stands for more than one peer" }
    return hasType(text) ? "without a type such as \"dns:\" in front" : nil
  }

  /// `10.0.0.0/8`, `10.0.0.1-10.0.0.9`: to charon they match every address in them.
  private static func isRange(_ text: String) -> Bool {
    let head = text.prefix { $0 != "/" && $0 != "-" }
    guard head.utf8.count < text.utf8.count else { return false }
    let isIPv6 =
      head.contains(":")
      && head.utf8.allSatisfy { isHexadecimal($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }
    return isIPv6 || IPv4Address(head) != nil
  }

  /// `dns:^.+$`, `fqdn:#2a`, `{0}:x`: behind a type may stand a regular expression (since charon 6.0.2) or bytes in
  /// hexadecimal, and the type may be "any". An IPv6 address has colons, too.
  private static func hasType(_ text: String) -> Bool {
    guard text.utf8.first != UInt8(ascii: "{") else { return true }
    let head = text.utf8.prefix { $0 != UInt8(ascii: ":") }
    let isWord = head.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) }
    return isWord && head.count < text.utf8.count && !head.allSatisfy(isHexadecimal)
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
  }

  package var description: String { text }
}

extension IPsecProfile {
  /// What charon finds a pre-shared key by: the ids at both ends, whichever is whose. Capitals make no difference to it.
  package func keyOwners(localID: IKEIdentity?) -> Set<String> {
    [localID?.text.lowercased() ?? "", remoteID.text.lowercased()]
  }

  /// The complaint about a profile whose key charon could not tell from another profile's.
  package static func sharesKeyOwners(with index: Int) -> String {
    "the same ids as ipsec_profiles[\(index)] and another psk_file: charon finds a key by the ids alone"
  }
}
