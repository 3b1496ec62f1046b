internal import RuleSets
import Testing

@testable import Core

@Suite struct ESPTransformTests {
  struct Row: Sendable {
    var encryption: String
    var integrity: String?
    /// Initialisation vector, integrity check value, alignment.
    var parts: [Int]
    /// The largest packet by the underlay's MTU: in tunnel mode, with NAT-T, in transport mode, with NAT-T.
    var largest: [Int: [Int]]

    init(_ encryption: String, _ integrity: String? = nil, parts: [Int], in1500: [Int], in1423: [Int]) {
      self.encryption = encryption
      self.integrity = integrity
      self.parts = parts
      largest = [1500: in1500, 1423: in1423]
    }
  }

  /// All except Camellia's were measured on Linux 6.12: the IP_MTU of a socket behind a policy, and the packets it
  /// sends.
  static let table: [Row] = [
    Row("AES_GCM_16", parts: [8, 16, 4], in1500: [1446, 1438, 1466, 1458], in1423: [1366, 1358, 1386, 1378]),
    Row("AES_GCM_12", parts: [8, 12, 4], in1500: [1450, 1442, 1470, 1462], in1423: [1370, 1362, 1390, 1382]),
    Row("AES_GCM_8", parts: [8, 8, 4], in1500: [1454, 1446, 1474, 1466], in1423: [1374, 1366, 1394, 1386]),
    Row("AES_CCM_16", parts: [8, 16, 4], in1500: [1446, 1438, 1466, 1458], in1423: [1366, 1358, 1386, 1378]),
    Row("AES_CCM_12", parts: [8, 12, 4], in1500: [1450, 1442, 1470, 1462], in1423: [1370, 1362, 1390, 1382]),
    Row("CHACHA20_POLY1305", parts: [8, 16, 4], in1500: [1446, 1438, 1466, 1458], in1423: [1366, 1358, 1386, 1378]),
    Row("NULL_AES_GMAC", parts: [8, 16, 4], in1500: [1446, 1438, 1466, 1458], in1423: [1366, 1358, 1386, 1378]),
    Row(
      "AES_CBC", "HMAC_SHA2_256_128", parts: [16, 16, 16], in1500: [1438, 1422, 1458, 1442],
      in1423: [1358, 1342, 1378, 1362]),
    Row(
      "AES_CBC", "HMAC_SHA2_384_192", parts: [16, 24, 16], in1500: [1422, 1422, 1442, 1442],
      in1423: [1342, 1342, 1362, 1362]),
    Row(
      "AES_CBC", "HMAC_SHA2_512_256", parts: [16, 32, 16], in1500: [1422, 1406, 1442, 1426],
      in1423: [1342, 1326, 1362, 1346]),
    Row(
      "AES_CBC", "HMAC_SHA1_96", parts: [16, 12, 16], in1500: [1438, 1422, 1458, 1442],
      in1423: [1358, 1342, 1378, 1362]),
    Row(
      "CAMELLIA_CBC", "AES_XCBC_96", parts: [16, 12, 16], in1500: [1438, 1422, 1458, 1442],
      in1423: [1358, 1342, 1378, 1362]),
    Row(
      "AES_CTR", "HMAC_SHA2_256_128", parts: [8, 16, 4], in1500: [1446, 1438, 1466, 1458],
      in1423: [1366, 1358, 1386, 1378]),
    Row(
      "AES_CTR", "HMAC_SHA2_512_256", parts: [8, 32, 4], in1500: [1430, 1422, 1450, 1442],
      in1423: [1350, 1342, 1370, 1362]),
    Row(
      "3DES_CBC", "HMAC_SHA1_96", parts: [8, 12, 8], in1500: [1446, 1438, 1466, 1458], in1423: [1366, 1358, 1386, 1378]),
    Row(
      "NULL", "HMAC_SHA2_256_128", parts: [0, 16, 4], in1500: [1454, 1446, 1474, 1466],
      in1423: [1374, 1366, 1394, 1386]),
    Row(
      "NULL", "AES_CMAC_96", parts: [0, 12, 4], in1500: [1458, 1450, 1478, 1470], in1423: [1378, 1370, 1398, 1390]),
  ]

  private func sizes(of transform: ESPTransform, in mtu: Int) -> [Int] {
    [ESPTransform.Mode.tunnel, .transport].flatMap { mode in
      [false, true].map { transform.largestInner(underlayMTU: mtu, mode: mode, isUDPEncapsulated: $0) }
    }
  }

  @Test(arguments: table) func `how many bytes of a packet an SA takes`(_ row: Row) throws {
    let transform = try #require(ESPTransform(encryption: row.encryption, keyBits: 256, integrity: row.integrity))
    #expect([transform.ivBytes, transform.icvBytes, transform.alignment] == row.parts)
    for (mtu, largest) in row.largest { #expect(sizes(of: transform, in: mtu) == largest) }
  }

  /// The other way round: the packet made from the largest inner one fits, and one byte more does not.
  @Test(arguments: table) func `a packet one byte larger than the largest does not fit`(_ row: Row) throws {
    let transform = try #require(ESPTransform(encryption: row.encryption, integrity: row.integrity))
    for mtu in 576...1600 {
      for isEncapsulated in [false, true] {
        func outer(_ inner: Int) -> Int {
          let padded = (inner + 2 + transform.alignment - 1) / transform.alignment * transform.alignment
          return 20 + (isEncapsulated ? 8 : 0) + 8 + transform.ivBytes + padded + transform.icvBytes
        }
        let inner = transform.largestInner(underlayMTU: mtu, mode: .tunnel, isUDPEncapsulated: isEncapsulated)
        #expect(outer(inner) <= mtu && outer(inner + 1) > mtu)
      }
    }
  }

  @Test func `it is written as swanctl writes it`() {
    #expect(ESPTransform(encryption: "AES_GCM_16", keyBits: 256)?.description == "AES_GCM_16-256")
    #expect(
      ESPTransform(encryption: "AES_CBC", keyBits: 128, integrity: "HMAC_SHA2_256_128")?.description
        == "AES_CBC-128/HMAC_SHA2_256_128")
    #expect(ESPTransform(encryption: "CHACHA20_POLY1305")?.description == "CHACHA20_POLY1305")
  }

  @Test func `an unknown cipher has no size`() {
    #expect(ESPTransform(encryption: "") == nil)
    #expect(ESPTransform(encryption: "AES_GCM_17") == nil)
    #expect(ESPTransform(encryption: "(1031)") == nil)
    #expect(ESPTransform(encryption: "AES_CBC") == nil, "the integrity is missing")
    #expect(ESPTransform(encryption: "AES_CBC", integrity: "HMAC_SHA3_256") == nil)
    #expect(ESPTransform(encryption: "AES_GCM_16", integrity: "HMAC_SHA2_256_128") == nil)
  }

  @Test func `a tiny underlay has room for nothing`() throws {
    let transform = try #require(ESPTransform(encryption: "AES_CBC", integrity: "HMAC_SHA2_512_256"))
    for mtu in [Int.min / 2, -1, 0, 20, 76, 91] { #expect(sizes(of: transform, in: mtu) == [0, 0, 0, 0]) }
  }

  @Test func `the size allows for the worst of the offered ciphers`() throws {
    func worst(_ texts: String..., in mtu: Int = 1500, isUDPEncapsulated: Bool = false) throws -> String? {
      let proposals = try texts.map { try Proposal.parse($0, for: .esp) }
      return ESPTransform.worst(of: proposals, underlayMTU: mtu, isUDPEncapsulated: isUDPEncapsulated)?.description
    }
    #expect(try worst("aes256gcm16-x25519") == "AES_GCM_16-256")
    #expect(try worst("aes256gcm16-x25519", "aes128-sha256") == "AES_CBC-128/HMAC_SHA2_256_128")
    #expect(try worst("aes128-sha256-sha512-aesxcbc") == "AES_CBC-128/HMAC_SHA2_512_256")
    // Padding decides: on 1500 bytes, CTR with the long value costs more; with NAT-T both cost the same.
    #expect(try worst("aes128-sha256", "aes256ctr-sha512") == "AES_CTR-256/HMAC_SHA2_512_256")
    #expect(try worst("aes128-sha256", "aes256ctr-sha512", isUDPEncapsulated: true) == "AES_CBC-128/HMAC_SHA2_256_128")
    #expect(try worst("aes128-sha256", "aes256ctr-sha512", in: 1499) == "AES_CBC-128/HMAC_SHA2_256_128")
    #expect(try worst() == nil)
    let ike = try Proposal.parse("aes256gcm16-prfsha384-x25519", for: .ike)
    #expect(ESPTransform.worst(of: [ike], underlayMTU: 1500, isUDPEncapsulated: false) == nil)
  }

  @Test func `every cipher that may be proposed has a size`() throws {
    for bits in [128, 192, 256] {
      for mode in ["gcm16", "gcm12", "ccm16", "ccm12"] {
        let proposal = try Proposal.parse("aes\(bits)\(mode)", for: .esp)
        #expect(ESPTransform.worst(of: [proposal], underlayMTU: 1500, isUDPEncapsulated: false) != nil)
      }
      for cipher in ["aes\(bits)", "aes\(bits)ctr", "camellia\(bits)"] {
        for integrity in ["sha256", "sha384", "sha512", "aesxcbc", "aescmac"] {
          let proposal = try Proposal.parse("\(cipher)-\(integrity)", for: .esp)
          #expect(ESPTransform.worst(of: [proposal], underlayMTU: 1500, isUDPEncapsulated: false) != nil)
        }
      }
    }
  }
}
