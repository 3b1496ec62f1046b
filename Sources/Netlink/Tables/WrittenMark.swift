internal import CMnl
internal import CNftnl

/// What a rule writes into a mark. Other software's rules are understood in the forms that nft(8) and iptables(8)
/// write.
package struct WrittenMark: Equatable, Sendable {
  /// The bits that it may change.
  package var bits: UInt32
  /// Whether it is the connection's mark and not the packet's.
  package var isConnections: Bool

  package init(bits: UInt32, isConnections: Bool) {
    self.bits = bits
    self.isConnections = isConnections
  }

  /// Every mark that these expressions write, each time with the bits that may come out different. Assumes the worst
  /// where it cannot tell: all 32 bits.
  package static func all(in expressions: [NFTExpression]) -> [WrittenMark] {
    var found: [WrittenMark] = []
    var kept: UInt32 = 0
    // Which mark was read into the register.
    var source: NFTExpression?
    for expression in expressions {
      switch expression {
      case .meta(.mark), .connection(.mark):
        source = expression
        kept = .max
      case .bitwise(let mask, let flip):
        // A bit that passes the mask and is not flipped is unchanged.
        kept &= word(mask) & ~word(flip)
      case .setMeta(.mark):
        found.append(WrittenMark(bits: source == .meta(.mark) ? ~kept : .max, isConnections: false))
      case .setConnection(.mark):
        found.append(WrittenMark(bits: source == .connection(.mark) ? ~kept : .max, isConnections: true))
      case .target(let name, let revision, let data):
        if let written = data.withUnsafeBytes({ target(name, revision, Bytes($0)) }) { found.append(written) }
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

// iptables' targets that write marks. Each keeps the bits outside of a mask, and XORs what it has to say over the rest.
extension WrittenMark {
  private static func target(_ name: String, _ revision: UInt32, _ data: Bytes) -> WrittenMark? {
    switch name {
    case "MARK":
      guard revision == 2, let form = data.load(xt_mark_tginfo2.self) else { return .unknown }
      return WrittenMark(bits: form.mask | form.mark, isConnections: false)
    case "CONNMARK":
      switch revision {
      case 1: return data.load(xt_connmark_tginfo1.self).map { connection(xt_connmark_tginfo2($0)) } ?? .unknown
      case 2: return data.load(xt_connmark_tginfo2.self).map(connection) ?? .unknown
      default: return .unknown
      }
    case "TPROXY":
      // Revision 1 has a longer address behind the same two words.
      guard revision <= 1, let form = data.load(xt_tproxy_target_info.self) else { return .unknown }
      return WrittenMark(bits: form.mark_mask | form.mark_value, isConnections: false)
    // It writes all bits, from a hash.
    case "HMARK": return .unknown
    default: return nil
    }
  }

  /// For a revision that a later kernel may bring: nobody knows which bits it keeps.
  private static var unknown: WrittenMark { WrittenMark(bits: .max, isConnections: false) }

  /// Follows connmark_tg_shift() in net/netfilter/xt_connmark.c.
  private static func connection(_ form: xt_connmark_tginfo2) -> WrittenMark {
    func shifted(_ bits: UInt32) -> UInt32 {
      Int(form.shift_dir) == D_SHIFT_RIGHT ? bits >> form.shift_bits : bits << form.shift_bits
    }
    switch Int(form.mode) {
    case XT_CONNMARK_SET:
      // The kept bits are shifted too.
      return WrittenMark(bits: form.shift_bits == 0 ? form.ctmask | form.ctmark : .max, isConnections: true)
    case XT_CONNMARK_SAVE: return WrittenMark(bits: form.ctmask | shifted(form.nfmask), isConnections: true)
    case XT_CONNMARK_RESTORE:
      return WrittenMark(bits: form.nfmask | shifted(form.ctmask), isConnections: false)
    default: return .unknown
    }
  }
}

extension xt_connmark_tginfo2 {
  /// Revision 1 has no shift.
  fileprivate init(_ form: xt_connmark_tginfo1) {
    self.init(
      ctmark: form.ctmark, ctmask: form.ctmask, nfmask: form.nfmask, shift_dir: 0, shift_bits: 0, mode: form.mode)
  }
}
