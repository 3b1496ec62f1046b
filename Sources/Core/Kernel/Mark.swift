/// The bits of the packet mark and the connection mark that are ours; all other bits belong to other software and are
/// kept as they are. The bits are contiguous, so that a slot number can be shifted into them.
package struct MarkMask: Hashable, Sendable, CustomStringConvertible {
  package let bits: UInt32

  /// Nil if `bits` is 0, has a gap, or has fewer than 4 bits.
  package init?(bits: UInt32) {
    guard bits != 0 else { return nil }
    let run = bits >> UInt32(bits.trailingZeroBitCount)
    guard run & (run &+ 1) == 0, bits.nonzeroBitCount >= 4 else { return nil }
    self.bits = bits
  }

  private init(known bits: UInt32) { self.bits = bits }

  /// 0x7f000000: clear of mwan3 (0x3f00), pbr and Tailscale (0xff0000), NetBird (0x1bd00), VyOS (0xc9 and up), wg-quick
  /// (0xca6c) and Kubernetes (0xc000). Among known programs only Calico (0xffff0000) uses some of these bits.
  package static let standard = MarkMask(known: 0x7f00_0000)

  /// How many slots the mask holds; slot 0 means "not ours", and the highest value is `passed`.
  package var slots: Int { Int(bits >> UInt32(bits.trailingZeroBitCount)) - 1 }

  /// All of our bits: the mark of a packet that we have looked at and that none of our rules is to decide over. It holds
  /// for the lookup alone, is no slot's, and no connection is ever bound to it.
  package var passed: Mark { Mark(value: bits) }

  /// How many of them a number can stand for.
  package var marks: Int { min(slots, Slot.maximum) }

  /// The mark of a slot; nil if the mask is too narrow for it.
  package func mark(_ slot: Slot) -> Mark? {
    slot.number <= slots ? Mark(value: UInt32(slot.number) << UInt32(bits.trailingZeroBitCount)) : nil
  }

  /// What marks have in common whose slots differ in their last `count` bits alone: an ip rule takes a whole block of them
  /// by it. It has no slots.
  package func block(ofLast count: Int) -> MarkMask { MarkMask(known: bits & (bits << UInt32(count))) }

  /// The mask of such a block with these bits; nil if they are none's.
  package func block(bits other: UInt32) -> MarkMask? {
    (1..<bits.nonzeroBitCount).lazy.map(block(ofLast:)).first { $0.bits == other }
  }

  /// Both masks' bits, to compare and replace what may be of either. They need not be contiguous, so it has no slots.
  package func joined(_ other: MarkMask) -> MarkMask { MarkMask(known: bits | other.bits) }

  /// The slot of a mark under this mask; nil if it belongs to none.
  package func slot(_ mark: Mark) -> Slot? { Slot(Int((mark.value & bits) >> UInt32(bits.trailingZeroBitCount))) }

  package var description: String { hexadecimal(bits) }
}

/// A value of our bits of the mark (`meta mark & mask`).
package struct Mark: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt32
  package init(value: UInt32) { self.value = value }
  package var description: String { hexadecimal(value) }
  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// The place of one path or backhaul rule in the mark and table ranges, 1 and up. A slot never changes its owner while
/// that owner lives, whatever comes and goes around it: live flows carry its mark.
package struct Slot: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let number: Int

  package init?(_ number: Int) {
    guard (1...Slot.maximum).contains(number) else { return nil }
    self.number = number
  }

  private init(known number: Int) { self.number = number }

  /// The slot of packets that go by the main table whatever the rules say (direct destinations).
  package static let bypass = Slot(known: 1)
  /// The first slot that a path or rule may have.
  package static let first = Slot(known: 2)
  package static let maximum = 65_535

  /// The number (`if_id`) of the XFRM interface of a slot. It depends only on the slot: with another mask the device
  /// stays, and charon need not negotiate new keys. Slots of more than 12 bits come around.
  package var interfaceID: UInt32 { UInt32(number) << 20 | UInt32(number) >> 12 }

  /// Nil if no slot has that number.
  package init?(interfaceID: UInt32) { self.init(Int(interfaceID >> 20 | interfaceID << 12)) }

  package var description: String { "\(number)" }
  package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// `0x` and eight digits or fewer, as `ip rule` and `nft` write a mark.
package func hexadecimal(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }
