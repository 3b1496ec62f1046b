/// One algorithm of a proposal.
package struct Transform: Hashable, Sendable {
  /// RFC 7296 section 3.3.2.
  package enum Kind: Hashable, Sendable {
    case encryption, integrity, prf, keyExchange
    /// One more key exchange, 1 to 7, under the protection of those before it (RFC 9370).
    case additionalKeyExchange(Int)
    case sequenceNumbers
  }

  package let kind: Kind
  /// As charon takes it in a proposal, of several spellings always the same: `aes256gcm16`, `ke1_mlkem768`.
  package let keyword: String
  /// Charon's name, which get-algorithms and list-sas give: `AES_GCM_16`, `ML_KEM_768`.
  package let name: String
  /// Where the cipher has keys of several sizes.
  package let keyBits: Int?

  private init(_ kind: Kind, _ keyword: String, _ name: String, keyBits: Int? = nil) {
    self.kind = kind
    self.keyword = keyword
    self.name = name
    self.keyBits = keyBits
  }

  /// Nil where `word` is none that may be used; `refusal(of:)` says whether charon would take it.
  package init?(_ word: String) {
    if let (number, method) = Self.additional(word) {
      guard let transform = Transform(method), transform.kind == .keyExchange else { return nil }
      self.init(.additionalKeyExchange(number), "ke\(number)_\(transform.keyword)", transform.name)
    } else if let cipher = Self.cipher(word) {
      self = cipher
    } else {
      let spelling = Self.spellings.first { $0.other == word }?.keyword ?? word
      guard let row = Self.table.first(where: { $0.keyword == spelling }) else { return nil }
      self.init(row.kind, row.keyword, row.name)
    }
  }

  /// `ke1_mlkem768`: 1 and `mlkem768`.
  private static func additional(_ word: String) -> (Int, String)? {
    let bytes = word.utf8
    guard word.hasPrefix("ke"), bytes.count > 4, let digit = bytes.dropFirst(2).first,
      (UInt8(ascii: "1")...UInt8(ascii: "7")).contains(digit), bytes.dropFirst(3).first == UInt8(ascii: "_")
    else { return nil }
    return (Int(digit - UInt8(ascii: "0")), String(word.dropFirst(4)))
  }

  /// A cipher's keyword is put together of its name, the key's bits, the mode, and the bytes or bits of the tag.
  private static func cipher(_ word: String) -> Transform? {
    if word == "chacha20poly1305" { return Transform(.encryption, word, "CHACHA20_POLY1305") }
    let isCamellia = word.hasPrefix("camellia")
    guard isCamellia || word.hasPrefix("aes") else { return nil }
    let family = isCamellia ? "camellia" : "aes"
    let rest = word.dropFirst(family.count)
    let size = rest.isEmpty ? "128" : rest.prefix(3)
    guard let bits = Int(size), ["128", "192", "256"].contains(size) else { return nil }
    let mode: (keyword: String, name: String)
    switch rest.dropFirst(3) {
    case "": mode = ("", isCamellia ? "CAMELLIA_CBC" : "AES_CBC")
    // Of Camellia the kernel has CBC alone.
    case _ where isCamellia: return nil
    case "ctr": mode = ("ctr", "AES_CTR")
    case "gcm", "gcm16", "gcm128": mode = ("gcm16", "AES_GCM_16")
    case "gcm12", "gcm96": mode = ("gcm12", "AES_GCM_12")
    case "ccm", "ccm16", "ccm128": mode = ("ccm16", "AES_CCM_16")
    case "ccm12", "ccm96": mode = ("ccm12", "AES_CCM_12")
    default: return nil
    }
    return Transform(.encryption, "\(family)\(bits)\(mode.keyword)", mode.name, keyBits: bits)
  }

  /// Encryption and integrity in one (RFC 5282).
  package var isAEAD: Bool { ["AES_GCM_", "AES_CCM_", "CHACHA20_POLY1305"].contains { name.hasPrefix($0) } }

  /// Whatever may stand in a proposal and is no cipher.
  private static let table: [(kind: Kind, keyword: String, name: String)] = [
    (.integrity, "sha256", "HMAC_SHA2_256_128"),
    (.integrity, "sha384", "HMAC_SHA2_384_192"),
    (.integrity, "sha512", "HMAC_SHA2_512_256"),
    (.integrity, "aesxcbc", "AES_XCBC_96"),
    (.integrity, "aescmac", "AES_CMAC_96"),
    (.prf, "prfsha256", "PRF_HMAC_SHA2_256"),
    (.prf, "prfsha384", "PRF_HMAC_SHA2_384"),
    (.prf, "prfsha512", "PRF_HMAC_SHA2_512"),
    (.prf, "prfaesxcbc", "PRF_AES128_XCBC"),
    (.prf, "prfaescmac", "PRF_AES128_CMAC"),
    (.keyExchange, "x25519", "CURVE_25519"),
    (.keyExchange, "x448", "CURVE_448"),
    (.keyExchange, "ecp256", "ECP_256"),
    (.keyExchange, "ecp384", "ECP_384"),
    (.keyExchange, "ecp521", "ECP_521"),
    (.keyExchange, "ecp256bp", "ECP_256_BP"),
    (.keyExchange, "ecp384bp", "ECP_384_BP"),
    (.keyExchange, "ecp512bp", "ECP_512_BP"),
    (.keyExchange, "modp2048", "MODP_2048"),
    (.keyExchange, "modp3072", "MODP_3072"),
    (.keyExchange, "modp4096", "MODP_4096"),
    (.keyExchange, "modp6144", "MODP_6144"),
    (.keyExchange, "modp8192", "MODP_8192"),
    (.keyExchange, "mlkem512", "ML_KEM_512"),
    (.keyExchange, "mlkem768", "ML_KEM_768"),
    (.keyExchange, "mlkem1024", "ML_KEM_1024"),
    // Beside others it makes the exchange optional.
    (.keyExchange, "none", "KE_NONE"),
    (.sequenceNumbers, "esn", "EXT_SEQ"),
    (.sequenceNumbers, "noesn", "NO_EXT_SEQ"),
  ]

  private static let spellings: [(other: String, keyword: String)] = [
    ("sha2_256", "sha256"), ("sha2_384", "sha384"), ("sha2_512", "sha512"), ("curve25519", "x25519"),
    ("curve448", "x448"), ("modpnone", "none"),
  ]

  /// What to say of a word that is no transform.
  static func refusal(of word: String) -> String {
    if let (_, method) = additional(word) {
      return Transform(method) == nil ? refusal(of: method) : "\(quoted(method)) is no key exchange"
    }
    if let weakness = weakness(of: word) { return "\(quoted(word)) is refused: \(weakness)" }
    // Charon's words have no capitals, and wrongly written capitals would count as many wrong letters.
    let low = word.lowercased()
    let known = table.map(\.keyword) + spellings.map(\.other) + commonCiphers
    let near = Transform(low) != nil ? low : nearest(to: low, among: known)
    return "unknown algorithm \(quoted(word))" + (near.map { "; did you mean \(quoted($0))?" } ?? "")
  }

  private static let commonCiphers =
    ["128", "192", "256"].flatMap { ["aes\($0)", "aes\($0)gcm16", "aes\($0)ccm16", "aes\($0)ctr", "camellia\($0)"] }
    + ["chacha20poly1305"]

  /// Why a word that charon takes is none of ours. RFC 8221 section 5 and RFC 8247 section 2 judge nearly all of them.
  private static func weakness(of word: String) -> String? {
    switch word {
    case "default": "it offers whatever charon was built with; name the algorithms"
    case "null": "it does not encrypt"
    case _ where word.hasSuffix("gmac"): "it does not encrypt"
    case "des", "3des", "cast128": "blocks of 64 bits leak within gigabytes (SWEET32)"
    case _ where word.hasPrefix("blowfish"): "blocks of 64 bits leak within gigabytes (SWEET32)"
    case _ where word.hasPrefix("serpent") || word.hasPrefix("twofish"): "it is no standard of IPsec"
    case _ where word.hasSuffix("cm8") || word.hasSuffix("cm64"): "a tag of 64 bits is too short; write 16"
    case "md5", "md5_128", "prfmd5": "MD5 is broken"
    case "sha", "sha1", "sha1_160", "prfsha1": "SHA-1 is on its way out; use SHA-2"
    case "sha256_96", "sha2_256_96": "old kernels' own shortening; use sha256"
    case "camelliaxcbc", "prfcamelliaxcbc", "chacha20poly1305compat": "it is charon's own, no standard of IPsec"
    case _ where word.hasPrefix("camellia"): "of Camellia the kernel has CBC alone, such as camellia256"
    case "modp768", "modp1024", "modp1536": "the group is small enough to be broken"
    case "modp1024s160", "modp2048s224", "modp2048s256": "nobody knows where the group's primes are from (RFC 5114)"
    case "ecp192", "ecp224", "ecp224bp": "less than 128 bits strong"
    case "modpnull": "it exchanges no key"
    default: nil
    }
  }
}
