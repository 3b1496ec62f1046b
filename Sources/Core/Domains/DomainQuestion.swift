package import RuleSets

/// A question for the IPv4 addresses of a domain, and what answers it (RFC 1035 section 4).
package struct DomainQuestion: Equatable, Sendable {
  /// What a resolver says.
  package enum Answer: Equatable, Sendable {
    /// Each once; none where the name has none, or does not exist.
    case addresses([IPv4Address])
    /// Its own error, such as 2: it reaches no server that knows.
    case failed(code: UInt8)
  }

  package var number: UInt16
  package var domain: DomainName

  /// What fits into a datagram on every link (RFC 9715).
  static let mostBytes: UInt16 = 1_232
  /// Addresses of one answer; more would be no answer to a client either.
  static let mostAddresses = 128

  package init(number: UInt16, domain: DomainName) {
    self.number = number
    self.domain = domain
  }

  /// With recursion, and room for a long answer (EDNS, RFC 6891).
  package var bytes: [UInt8] {
    let header = [UInt8(number >> 8), UInt8(number & 0xff), 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    return header + question + [0, 0, 41, UInt8(Self.mostBytes >> 8), UInt8(Self.mostBytes & 0xff), 0, 0, 0, 0, 0, 0]
  }

  private var question: [UInt8] {
    domain.text.utf8.split(separator: UInt8(ascii: ".")).flatMap { [UInt8($0.count)] + $0 } + [0, 0, 1, 0, 1]
  }

  /// Nil if this answers another question, or nothing can be made of it. What a cut off answer still says counts.
  package func answer(_ bytes: [UInt8]) -> Answer? {
    let asked = question
    guard bytes.count >= 12 + asked.count, UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == number, bytes[2] & 0xf8 == 0x80,
      bytes[4] == 0, bytes[5] == 1, bytes[12..<12 + asked.count].map(Self.small) == asked.map(Self.small)
    else { return nil }
    let code = bytes[3] & 0x0f
    // 3: there is no such name.
    guard code == 0 || code == 3 else { return .failed(code: code) }
    var place = 12 + asked.count
    var found: [IPv4Address] = []
    for _ in 0..<(Int(bytes[6]) << 8 | Int(bytes[7])) {
      guard let name = Self.end(ofName: place, bytes), name + 10 <= bytes.count else { break }
      let (type, kind) = (Self.number(bytes, name), Self.number(bytes, name + 2))
      let (start, length) = (name + 10, Self.number(bytes, name + 8))
      guard start + length <= bytes.count else { break }
      if (type, kind, length) == (1, 1, 4) {
        let address = IPv4Address(value: bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) })
        if Self.isDestination(address), !found.contains(address), found.count < Self.mostAddresses {
          found.append(address)
        }
      }
      place = start + length
    }
    return .addresses(found)
  }

  private static func number(_ bytes: [UInt8], _ place: Int) -> Int { Int(bytes[place]) << 8 | Int(bytes[place + 1]) }

  /// Case does not matter in names; some resolvers play with it.
  private static func small(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }

  /// Past a name, which is not followed where it points back. Nil if it runs over the end.
  private static func end(ofName start: Int, _ bytes: [UInt8]) -> Int? {
    var place = start
    while place < bytes.count {
      switch bytes[place] {
      case 0: return place + 1
      case 0xc0...: return place + 2 <= bytes.count ? place + 2 : nil
      case 1..<64: place += 1 + Int(bytes[place])
      default: return nil
      }
    }
    return nil
  }

  /// Blockers answer 0.0.0.0 or 127.0.0.1: nothing goes there through the router.
  private static func isDestination(_ address: IPv4Address) -> Bool {
    let first = address.value >> 24
    return first != 0 && first != 127 && first < 224
  }
}
