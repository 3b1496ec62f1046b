package import Core
import Glibc
internal import RuleSets

/// Maps of boxes, as net/netfilter/nft_set_pipapo.c has them: the order in which they came decides.
extension FakeNftTable {
  /// A box must not have a corner in one that is there (nft_pipapo_insert).
  mutating func insert(
    _ element: NftMap.Element, _ fields: [PacketField], into map: String
  ) throws(FakeRefusal) {
    guard case .box(let box) = element.key, box.fits(fields) else { throw FakeRefusal(EINVAL, "\(element) in \(map)") }
    for other in boxes[map] ?? [] {
      guard case .box(let there) = other.key, there.hasCorner(of: box) else { continue }
      // Even where it is the very same: some kernels take that for an overlap.
      throw FakeRefusal(EEXIST, "\(element) in \(map)")
    }
    boxes[map, default: []].append(element)
  }

  /// What the element says that was put in first of those that the packet is in.
  package func verdict(of map: String, for packet: Packet) -> NftMap.Verdict? {
    guard case .boxes(let fields)? = table.maps.first(where: { $0.name == map })?.kind,
      fields.allSatisfy({ packet.has($0) })
    else { return nil }
    return boxes[map]?.first { element in
      guard case .box(let box) = element.key else { return false }
      return zip(fields, box.sides).allSatisfy { packet.isIn($1, $0) }
    }?.verdict
  }
}

extension Packet {
  /// Else an expression that loads it ends the rule.
  fileprivate func has(_ field: PacketField) -> Bool {
    switch field {
    case .sender: isEthernet
    case .port: !isLaterFragment
    default: true
    }
  }

  fileprivate func isIn(_ side: PacketBox.Side, _ field: PacketField) -> Bool {
    let number: UInt64? =
      switch field {
      case .turn: isIPv6 ? 0x86dd : 0x0800
      case .sender: sender?.value
      case .source: UInt64(source.value)
      case .destination: UInt64(destination.value)
      case .protocol: protocolNumber.map { UInt64($0) }
      case .port: port.map { UInt64($0) }
      }
    // What no rule asks for is in a side that holds all.
    return number.map { side.first <= $0 && $0 <= side.last } ?? (side == .any(field))
  }
}

extension PacketBox {
  /// The other's lowest or highest key is in it.
  fileprivate func hasCorner(of other: PacketBox) -> Bool {
    [\PacketBox.Side.first, \.last].contains { corner in
      zip(sides, other.sides).allSatisfy { side, other in
        side.first <= other[keyPath: corner] && other[keyPath: corner] <= side.last
      }
    }
  }
}
