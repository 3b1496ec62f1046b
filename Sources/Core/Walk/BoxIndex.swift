internal import RuleSets

/// The boxes of one map, made once for many packets.
struct BoxIndex {
  /// One number of a packet's that has to lie in a range.
  private struct Condition {
    var field: Int
    var first: UInt64
    var last: UInt64
  }

  private let fields: [PacketField]
  /// Of all boxes, one box behind the other, by turn. What every packet fulfils is left out.
  private var conditions: [Condition] = []
  /// Where each box's conditions end.
  private var ends: [Int] = []
  private var verdicts: [NftMap.Verdict] = []

  /// - Parameter elements: ascending, as a map has them.
  init(_ fields: [PacketField], _ elements: [NftMap.Element]) {
    self.fields = fields
    for element in elements {
      guard case .box(let box) = element.key, box.fits(fields) else { continue }
      for (index, side) in box.sides.enumerated() where side != .any(fields[index]) {
        conditions.append(Condition(field: index, first: side.first, last: side.last))
      }
      ends.append(conditions.count)
      verdicts.append(element.verdict)
    }
  }

  /// A value that no box asks for is in those alone that take any.
  private static let unlikeAny = UInt64.max

  /// What the box of the least turn says that the packet is in. Nil if it is in none, or if one of the fields cannot be
  /// read: the kernel then leaves the rule (NFT_BREAK in nft_payload_eval, net/netfilter/nft_payload.c).
  func verdict(for packet: Packet) -> NftMap.Verdict? {
    var values: [UInt64] = []
    for field in fields {
      guard let value = value(field, of: packet) else { return nil }
      values.append(value)
    }
    return conditions.withUnsafeBufferPointer { conditions in
      values.withUnsafeBufferPointer { values in
        var start = 0
        for (box, end) in ends.enumerated() {
          var next = start
          while next < end {
            let condition = conditions[next]
            let value = values[condition.field]
            if value < condition.first || value > condition.last { break }
            next += 1
          }
          if next == end { return verdicts[box] }
          start = end
        }
        return nil
      }
    }
  }

  /// Nil if it cannot be read.
  private func value(_ field: PacketField, of packet: Packet) -> UInt64? {
    switch field {
    case .turn: packet.isIPv6 ? 0x86dd : PacketBox.Side.middle
    case .sender: packet.isEthernet ? packet.sender?.value ?? Self.unlikeAny : nil
    case .source: UInt64(packet.source.value)
    case .destination: UInt64(packet.destination.value)
    case .protocol: packet.protocolNumber.map { UInt64($0) } ?? Self.unlikeAny
    case .port: packet.isLaterFragment ? nil : packet.port.map { UInt64($0) } ?? Self.unlikeAny
    }
  }
}
