internal import RuleSets
import Testing

@testable import Core

@Suite struct ProposalTests {
  private func text(_ text: String, _ use: ProposalUse) throws -> String { try Proposal.parse(text, for: use).text }

  @Test func `a proposal is taken apart into its transforms`() throws {
    let proposal = try Proposal.parse("aes256gcm16-prfsha384-x25519-ke1_mlkem768", for: .ike)
    #expect(proposal.transforms.map(\.name) == ["AES_GCM_16", "PRF_HMAC_SHA2_384", "CURVE_25519", "ML_KEM_768"])
    #expect(
      proposal.transforms.map(\.kind) == [.encryption, .prf, .keyExchange, .additionalKeyExchange(1)])
    #expect(proposal[.encryption].map(\.keyBits) == [256])
    #expect(proposal[.encryption].map(\.isAEAD) == [true])
    #expect(proposal.text == "aes256gcm16-prfsha384-x25519-ke1_mlkem768")
  }

  @Test(arguments: [
    ("aes256-sha256-ecp256", "aes256-sha256-ecp256"),
    ("aes-sha2_256-modp2048", "aes128-sha256-modp2048"),
    ("aes256gcm128-aes128gcm-prfsha256-curve25519", "aes256gcm16-aes128gcm16-prfsha256-x25519"),
    ("x25519-prfsha256-aes192ccm96", "aes192ccm12-prfsha256-x25519"),
    ("ecp384-ecp256-sha512-sha384-camellia-aes256ctr", "camellia128-aes256ctr-sha512-sha384-ecp384-ecp256"),
    ("chacha20poly1305-prfaescmac-curve448", "chacha20poly1305-prfaescmac-x448"),
    ("aes256-sha384-prfsha512-ecp521", "aes256-sha384-prfsha512-ecp521"),
    ("aes256gcm16-prfsha384-x25519-ke7_ecp521bp", nil),
    (
      "aes256gcm16-prfsha384-x25519-ke7_ecp512bp-ke2_curve448-ke2_none",
      "aes256gcm16-prfsha384-x25519-ke2_x448-ke2_none-ke7_ecp512bp"
    ),
  ])
  func `different spellings and orders give one text`(_ written: String, _ expected: String?) throws {
    #expect((try? text(written, .ike)) == expected)
    if let expected { #expect(try text(expected, .ike) == expected) }
  }

  @Test(arguments: [
    "aes256gcm16", "aes256gcm16-x25519", "aes128-sha256", "aes256gcm16-x25519-none", "aes256gcm16-none",
    "aes256gcm16-x25519-ke1_mlkem768-ke1_none", "aes256gcm16-x25519-esn-noesn", "camellia256-aescmac-modp3072",
  ])
  func `ESP needs no key exchange and no PRF`(_ written: String) throws {
    #expect(try text(written, .esp) == written)
  }

  /// Every refusal, as the operator reads it.
  @Test(arguments: [
    (ProposalUse.ike, "", #"algorithms with one "-" between them"#),
    (.ike, "aes256gcm16--x25519", #"algorithms with one "-" between them"#),
    (.ike, "aes256gcm16,aes128gcm16", "one proposal, without commas"),
    (.ike, "default", #""default" is refused: it offers whatever charon was built with; name the algorithms"#),
    (.ike, "aes256gmc16", #"unknown algorithm "aes256gmc16"; did you mean "aes256gcm16"?"#),
    (.ike, "AES256GCM16", #"unknown algorithm "AES256GCM16"; did you mean "aes256gcm16"?"#),
    (.ike, "aes256gcm16-prfsha348", #"unknown algorithm "prfsha348"; did you mean "prfsha384"?"#),
    (.ike, "aes256gcm16-x25591", #"unknown algorithm "x25591"; did you mean "x25519"?"#),
    (.ike, "aes256gcm16-x25519-ke1_mlkem786", #"unknown algorithm "mlkem786"; did you mean "mlkem768"?"#),
    (.ike, "aes256gcm16-x25519-ke8_mlkem768", #"unknown algorithm "ke8_mlkem768""#),
    (.ike, "aes256gcm16-x25519-ke1_sha256", #""sha256" is no key exchange"#),
    (.ike, "aes256gcm16-x25519-ke1_ke2_x448", #""ke2_x448" is no key exchange"#),
    (.ike, "aes256gcm16-x25519-ke1_modp1024", #""modp1024" is refused: the group is small enough to be broken"#),
    (.ike, "aes512", #"unknown algorithm "aes512"; did you mean "aes128"?"#),
    (.ike, "aes256gcm16 -x25519", #"unknown algorithm "aes256gcm16 "; did you mean "aes256gcm16"?"#),
    (
      .ike, "camellia256ctr", #""camellia256ctr" is refused: of Camellia the kernel has CBC alone, such as camellia256"#
    ),
    (.ike, "aes\u{1b}[2J", #"unknown algorithm "aes\u{1b}[2J""#),
    (.ike, "aes256gcm16-aes256gcm-prfsha384-x25519", #""aes256gcm" is there twice"#),
    (.ike, "prfsha384-x25519", "the encryption is missing, such as aes256gcm16"),
    (.ike, "aes256gcm16-x25519", "aes256gcm16 needs a PRF in IKE, such as prfsha384"),
    (.ike, "aes256gcm16-prfsha384", "the key exchange is missing, such as x25519"),
    (.ike, "aes256gcm16-prfsha384-ke1_mlkem768", "the key exchange is missing, such as x25519"),
    (.ike, "aes256gcm16-prfsha384-none", #"IKE needs a key exchange: "none" is for ESP"#),
    (.ike, "aes256gcm16-sha384-x25519", "aes256gcm16 has its own integrity: write prfsha384 for the PRF"),
    (.ike, "aes256-x25519", "aes256 needs an integrity algorithm, such as sha256"),
    (
      .ike, "aes256-aes256gcm16-sha256-prfsha256-x25519",
      "aes256gcm16 has its own integrity and aes256 has none: write two proposals"
    ),
    (.ike, "aes256gcm16-prfsha384-x25519-esn", #""esn" is for ESP"#),
    (.esp, "aes256gcm16-sha256", "aes256gcm16 has its own integrity: leave sha256 out"),
    (.esp, "aes256ctr", "aes256ctr needs an integrity algorithm, such as sha256"),
    (.esp, "aes256gcm16-prfsha384", #""prfsha384": ESP has no PRF"#),
    (.esp, "aes256gcm16-ke1_mlkem768", "ke1_mlkem768 needs a key exchange before it, such as x25519"),
    (.esp, "aes256gcm16-none-ke1_mlkem768", "ke1_mlkem768 needs a key exchange before it, such as x25519"),
  ])
  func `a bad proposal is refused with a reason`(_ use: ProposalUse, _ written: String, _ words: String) {
    let refusal = #expect(throws: Proposal.Refusal.self) { try Proposal.parse(written, for: use) }
    #expect(refusal?.description == words)
  }

  /// Every fault at once, so that the author can fix them in one go.
  @Test(arguments: [
    (
      ProposalUse.ike, "aes256gmc16-prfsha348-x25591",
      #"unknown algorithm "aes256gmc16"; did you mean "aes256gcm16"?; unknown algorithm "prfsha348"; did you mean "prfsha384"?; unknown algorithm "x25591"; did you mean "x25519"?"#
    ),
    (
      .ike, "aes256", "aes256 needs an integrity algorithm, such as sha256; the key exchange is missing, such as x25519"
    ),
    (
      .ike, "3des-sha256-modp1024-esn",
      #""3des" is refused: blocks of 64 bits leak within gigabytes (SWEET32); "modp1024" is refused: the group is small enough to be broken; "esn" is for ESP"#
    ),
    (
      .esp, "aes256gcm16-sha256-prfsha384-sha256",
      #""sha256" is there twice; aes256gcm16 has its own integrity: leave sha256 out; "prfsha384": ESP has no PRF"#
    ),
  ])
  func `every fault of a proposal is listed`(_ use: ProposalUse, _ written: String, _ words: String) {
    let refusal = #expect(throws: Proposal.Refusal.self) { try Proposal.parse(written, for: use) }
    #expect(refusal?.description == words)
  }

  /// What charon accepts and we do not: each is refused with a reason, not as unknown.
  @Test(arguments: [
    "null", "des", "3des", "blowfish", "blowfish256", "cast128", "serpent", "serpent192", "twofish256", "aes128gmac",
    "aes256gcm8", "aes256gcm64", "aes128ccm8", "aes128ccm64", "md5", "md5_128", "sha", "sha1", "sha1_160", "sha256_96",
    "sha2_256_96", "camelliaxcbc", "prfmd5", "prfsha1", "prfcamelliaxcbc", "modp768", "modp1024", "modp1536",
    "modp1024s160", "modp2048s224", "modp2048s256", "modpnull", "ecp192", "ecp224", "ecp224bp",
    "chacha20poly1305compat", "default",
  ])
  func `weak algorithms have a reason`(_ word: String) {
    for use in [ProposalUse.ike, .esp] {
      let refusal = #expect(throws: Proposal.Refusal.self) { try Proposal.parse("aes256-sha256-\(word)", for: use) }
      #expect(refusal?.description.hasPrefix("\"\(word)\" is refused: ") == true)
    }
  }

  @Test func `hostile texts are refused cheaply`() {
    let texts = [
      String(repeating: "a", count: 1 << 20), String(repeating: "-", count: 512),
      String(repeating: "ke1_", count: 128), String(repeating: "ke1_", count: 1 << 18),
      "aes256gcm16-" + String(repeating: "é", count: 200), "ke1_\u{0}", "ke", "ke1", "ke1_", "aes", "aes1", "-",
      "\u{0}",
    ]
    for text in texts {
      for use in [ProposalUse.ike, .esp] {
        let refusal = #expect(throws: Proposal.Refusal.self) { try Proposal.parse(text, for: use) }
        #expect((refusal?.description.utf8.count ?? 0) < 1000)
      }
    }
  }

  @Test func `a complaint about a field says what was expected and why`() {
    let document = DocumentValue.object([.init("ike", .string("3des-sha256-x25519")), .init("esp", .integer(3))])
    let book = ComplaintBook()
    let fields = FieldReader(document, at: "ipsec", keys: ["ike", "esp"], book: book)
    #expect(fields?.optional("ike", .proposal(for: .ike)) == nil)
    #expect(fields?.optional("esp", .proposal(for: .esp)) == nil)
    let complaints = #expect(throws: Complaints.self) { try book.close() }
    #expect(
      complaints?.description == """
        ipsec.ike: expected an IKE proposal such as aes256gcm16-prfsha384-x25519, found "3des-sha256-x25519" \
        ("3des" is refused: blocks of 64 bits leak within gigabytes (SWEET32))
        ipsec.esp: expected an ESP proposal such as aes256gcm16-x25519, found 3
        """)
  }
}

@Suite struct CharonAlgorithmsTests {
  /// What 5.9.8 of Debian 12 answers, shortened.
  static let old = CharonAlgorithms(sections: [
    ("encryption", ["AES_CBC", "AES_CTR", "NULL"]), ("integrity", ["HMAC_SHA2_256_128", "HMAC_SHA2_384_192"]),
    ("aead", ["AES_CCM_16", "AES_GCM_16", "CHACHA20_POLY1305"]), ("hasher", ["HASH_SHA2_256"]),
    ("prf", ["PRF_HMAC_SHA2_256", "PRF_HMAC_SHA2_384"]), ("dh", ["MODP_3072", "CURVE_25519", "ECP_256", "ECP_384"]),
    ("rng", ["RNG_WEAK"]),
  ])
  static var new: CharonAlgorithms {
    CharonAlgorithms(sections: [
      ("encryption", ["AES_CBC"]), ("aead", ["AES_GCM_16"]), ("prf", ["PRF_HMAC_SHA2_256", "PRF_HMAC_SHA2_384"]),
      ("ke", ["CURVE_25519", "ECP_256", "ECP_384", "ML_KEM_512", "ML_KEM_768"]),
    ])
  }

  @Test func `both sorts of ciphers and both names of the key exchanges are read`() {
    #expect(Self.old.encryption.contains("AES_CBC") && Self.old.encryption.contains("AES_GCM_16"))
    #expect(Self.old.keyExchange == ["MODP_3072", "CURVE_25519", "ECP_256", "ECP_384"])
    #expect(!Self.old.hasAdditionalKeyExchanges && Self.new.hasAdditionalKeyExchanges)
  }

  @Test func `what charon lacks is named`() throws {
    let ike = try Proposal.parse("aes256ccm12-prfsha512-x448-ke1_mlkem768-ke1_none", for: .ike)
    #expect(
      ike.unsupported(by: Self.old) == [
        "charon lacks the algorithm aes256ccm12 (AES_CCM_12): a plugin is missing",
        "charon lacks the algorithm prfsha512 (PRF_HMAC_SHA2_512): a plugin is missing",
        "charon lacks the key exchange x448 (CURVE_448): a plugin is missing",
        "charon has no additional key exchanges before version 6 (ke1_mlkem768)",
        "charon has no additional key exchanges before version 6 (ke1_none)",
      ])
    #expect(try Proposal.parse("aes256gcm16-prfsha384-x25519", for: .ike).unsupported(by: Self.old).isEmpty)
  }

  @Test func `for ESP, only the key exchange needs charon`() throws {
    let esp = try Proposal.parse("aes256ccm12-x25519-ke1_mlkem1024-ke1_none-esn", for: .esp)
    #expect(
      esp.unsupported(by: Self.new) == [
        "charon lacks the key exchange ke1_mlkem1024 (ML_KEM_1024): a plugin is missing"
      ])
    #expect(try Proposal.parse("camellia256-aesxcbc-none", for: .esp).unsupported(by: Self.new).isEmpty)
  }

  @Test(arguments: [nil, CharonAlgorithmsTests.old]) func `the default is classic`(_ charon: CharonAlgorithms?) {
    #expect(
      Proposal.defaults(for: .ike, offeredBy: charon).map(\.text)
        == ["aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256-ecp384"])
    #expect(
      Proposal.defaults(for: .esp, offeredBy: charon).map(\.text) == ["aes256gcm16-aes128gcm16-x25519-ecp256-ecp384"])
  }

  @Test func `with ML-KEM the hybrid exchange comes first`() {
    #expect(
      Proposal.defaults(for: .ike, offeredBy: Self.new).map(\.text) == [
        "aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ke1_mlkem768",
        "aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256-ecp384",
      ])
    #expect(
      Proposal.defaults(for: .esp, offeredBy: Self.new).map(\.text) == [
        "aes256gcm16-aes128gcm16-x25519-ke1_mlkem768", "aes256gcm16-aes128gcm16-x25519-ecp256-ecp384",
      ])
  }

  @Test func `the default leaves out what charon lacks, and says so where nothing would be left`() {
    var poor = Self.new
    poor.keyExchange = ["ECP_384", "ML_KEM_768"]
    poor.prf = ["PRF_HMAC_SHA2_256"]
    #expect(
      Proposal.defaults(for: .ike, offeredBy: poor).map(\.text) == ["aes256gcm16-aes128gcm16-prfsha256-ecp384"])
    #expect(Proposal.defaults(for: .esp, offeredBy: poor).map(\.text) == ["aes256gcm16-aes128gcm16-ecp384"])
    let none = CharonAlgorithms(sections: [])
    let standard = Proposal.defaults(for: .ike, offeredBy: none)
    #expect(standard.map(\.text) == ["aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256-ecp384"])
    #expect(standard.first?.unsupported(by: none).count == 7)
  }

  @Test func `the defaults would be accepted from an operator`() throws {
    for use in [ProposalUse.ike, .esp] {
      for charon in [nil, Self.old, Self.new] {
        for proposal in Proposal.defaults(for: use, offeredBy: charon) {
          #expect(try Proposal.parse(proposal.text, for: use) == proposal)
        }
      }
    }
  }
}
