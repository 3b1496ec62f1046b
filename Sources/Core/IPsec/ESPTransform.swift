package import RuleSets

/// What ESP does to the size of a packet, by the algorithms of the SA.
package struct ESPTransform: Hashable, Sendable, CustomStringConvertible {
  /// Bytes of the initialisation vector before each packet's data.
  package let ivBytes: Int
  /// Bytes of the integrity check value after each packet's data.
  package let icvBytes: Int
  /// Bytes that what is encrypted must be a multiple of.
  package let alignment: Int
  /// The name in `swanctl --list-sas`: `AES_CBC-256/HMAC_SHA2_256_128`.
  package let description: String

  /// Tunnel mode encrypts the whole packet, transport mode only what follows its IP header (RFC 4303 section 3.1).
  package enum Mode: Sendable { case tunnel, transport }

  struct Cipher {
    var ivBytes: Int
    /// Only an AEAD has its own; otherwise 0.
    var icvBytes: Int
    var alignment: Int

    /// Takes charon's name. A cipher without blocks is aligned to 4 bytes (RFC 4303 section 2.4).
    init?(_ name: String) {
      switch name {
      // RFC 4106 (GCM), RFC 4309 (CCM), RFC 7634, and RFC 4543 (GMAC), which does not encrypt.
      case "AES_GCM_16", "AES_CCM_16", "CHACHA20_POLY1305", "NULL_AES_GMAC": self.init(8, 16, 4)
      case "AES_GCM_12", "AES_CCM_12": self.init(8, 12, 4)
      case "AES_GCM_8", "AES_CCM_8": self.init(8, 8, 4)
      // RFC 3602, RFC 4312.
      case "AES_CBC", "CAMELLIA_CBC": self.init(16, 0, 16)
      // RFC 3686.
      case "AES_CTR": self.init(8, 0, 4)
      // RFC 2451.
      case "3DES_CBC": self.init(8, 0, 8)
      // RFC 2410.
      case "NULL": self.init(0, 0, 4)
      default: return nil
      }
    }

    private init(_ ivBytes: Int, _ icvBytes: Int, _ alignment: Int) {
      self.ivBytes = ivBytes
      self.icvBytes = icvBytes
      self.alignment = alignment
    }
  }

  /// Takes the names that list-sas gives; nil if they are unknown or don't go together. An SA may also use what no
  /// proposal of ours offers, if other software negotiated it.
  package init?(encryption: String, keyBits: Int? = nil, integrity: String? = nil) {
    guard let cipher = Cipher(encryption) else { return nil }
    var icvBytes = cipher.icvBytes
    if icvBytes == 0 {
      guard let integrity, let bytes = Self.icvBytes(of: integrity) else { return nil }
      icvBytes = bytes
    } else if integrity != nil {
      return nil
    }
    ivBytes = cipher.ivBytes
    self.icvBytes = icvBytes
    alignment = cipher.alignment
    description = encryption + (keyBits.map { "-\($0)" } ?? "") + (integrity.map { "/\($0)" } ?? "")
  }

  private static func icvBytes(of integrity: String) -> Int? {
    switch integrity {
    // RFC 4868: half of the hash.
    case "HMAC_SHA2_256_128": 16
    case "HMAC_SHA2_384_192": 24
    case "HMAC_SHA2_512_256": 32
    // RFC 2404, 2403, 3566, 4494: 96 bits; the second is what Linux before 2.6.33 made of SHA-256.
    case "HMAC_SHA1_96", "HMAC_SHA2_256_96", "HMAC_MD5_96", "AES_XCBC_96", "AES_CMAC_96": 12
    default: nil
    }
  }

  /// The largest IPv4 packet that needs no fragments: as xfrm_state_mtu of Linux computes it, which is what the kernel
  /// answers a larger one with. Padding and its two bytes of trailer (RFC 4303 section 2.4) are encrypted with the packet.
  package func largestInner(underlayMTU: Int, mode: Mode, isUDPEncapsulated: Bool) -> Int {
    // The outer IPv4 header, ESP's own (RFC 4303), and UDP's (RFC 3948), which takes nothing else.
    let outside = 20 + 8 + (isUDPEncapsulated ? 8 : 0) + ivBytes + icvBytes
    let encrypted = (underlayMTU - outside) / alignment * alignment
    guard encrypted > 2 else { return 0 }
    // In transport mode the IP header is the packet's own.
    return encrypted - 2 + (mode == .transport ? 20 : 0)
  }

  /// The offered transform that leaves the least room, to count on until the hub has chosen one. Nil if no proposal is
  /// for ESP. The MTU matters because the padding depends on it.
  package static func worst(of proposals: [Proposal], underlayMTU: Int, isUDPEncapsulated: Bool) -> ESPTransform? {
    let offered = proposals.filter { $0.use == .esp }.flatMap { proposal -> [ESPTransform] in
      let integrity = proposal[.integrity].map { Optional($0.name) }
      return proposal[.encryption].flatMap { cipher in
        (integrity.isEmpty ? [nil] : integrity).compactMap {
          ESPTransform(encryption: cipher.name, keyBits: cipher.keyBits, integrity: $0)
        }
      }
    }
    func room(_ transform: ESPTransform) -> Int {
      transform.largestInner(underlayMTU: underlayMTU, mode: .tunnel, isUDPEncapsulated: isUDPEncapsulated)
    }
    return offered.min { room($0) < room($1) }
  }
}
