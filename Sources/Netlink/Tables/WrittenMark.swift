/// What an nftables rule writes into a mark. Of the forms of other software those are understood that nft(8) itself makes;
/// an iptables target is none of them.
package struct WrittenMark: Equatable, Sendable {
  /// That it may change.
  package var bits: UInt32
  /// The connection's mark, not the packet's.
  package var isConnections: Bool

  package init(bits: UInt32, isConnections: Bool) {
    self.bits = bits
    self.isConnections = isConnections
  }

  package static func all(in expressions: [NFTExpression]) -> [WrittenMark] {
    var found: [WrittenMark] = []
    var kept: UInt32 = 0
    // Which mark the register holds, as it was read.
    var source: NFTExpression?
    for expression in expressions {
      switch expression {
      case .meta(.mark), .connection(.mark):
        source = expression
        kept = .max
      case .bitwise(let mask, let flip):
        // Where a bit passes the mask and is not flipped it stays as it was.
        kept &= word(mask) & ~word(flip)
      case .setMeta(.mark):
        found.append(WrittenMark(bits: source == .meta(.mark) ? ~kept : .max, isConnections: false))
      case .setConnection(.mark):
        found.append(WrittenMark(bits: source == .connection(.mark) ? ~kept : .max, isConnections: true))
      case .load, .meta, .connection, .payload, .routeEncrypts: source = nil
      default: break
      }
    }
    return found.filter { $0.bits != 0 }
  }

  private static func word(_ bytes: [UInt8]) -> UInt32 {
    guard bytes.count >= 4 else { return 0 }
    return bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
  }
}
