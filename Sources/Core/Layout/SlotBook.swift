package import RuleSets

/// Which slot belongs to what. Marks and tables are numbered by it, and live flows carry those marks, so an owner keeps
/// its slot from one rule set to the next, over a restart too.
package struct SlotBook: Equatable, Sendable {
  /// What a slot belongs to.
  package enum Owner: Hashable, Comparable, Sendable {
    case tunnel(Name)
    case uplink(InterfaceName)
    /// By the egress's name; a rule's own egress has the rule's name.
    case egress(Name)
  }

  package private(set) var slots: [Owner: Slot]
  /// Slots that something in the kernel still uses. They are used only when no other slot is free. Never stored: only a
  /// book read back from the kernel has them.
  private var reserved: Set<Slot>

  package init(_ slots: [Owner: Slot] = [:], reserved: Set<Slot> = []) {
    self.slots = slots
    self.reserved = reserved
  }

  /// The owner's slot; nil if it has none.
  package subscript(owner: Owner) -> Slot? { slots[owner] }

  /// The book for these owners: those who had a slot keep it, the others get the lowest free ones in the order given. A
  /// slot whose owner is gone is reused only when no other is free, since live flows may still carry its mark. Nil if
  /// there are more owners than slots.
  package func assigning(_ owners: [Owner], of available: Int) -> SlotBook? {
    var result: [Owner: Slot] = [:]
    var taken: Set<Int> = []
    for owner in owners {
      guard let slot = slots[owner], slot >= .first, slot.number <= available, taken.insert(slot.number).inserted
      else { continue }
      result[owner] = slot
    }
    let waiting = owners.filter { result[$0] == nil }
    guard !waiting.isEmpty else { return SlotBook(result) }
    guard available >= Slot.first.number else { return nil }
    let free = (Slot.first.number...available).filter { !taken.contains($0) }
    let justFreed = Set(slots.values.map(\.number)).union(reserved.map(\.number)).subtracting(taken)
    let inOrder = free.filter { !justFreed.contains($0) } + free.filter { justFreed.contains($0) }
    var next = inOrder.makeIterator()
    for owner in waiting where result[owner] == nil {
      guard let slot = next.next().flatMap({ Slot($0) }) else { return nil }
      result[owner] = slot
    }
    return SlotBook(result)
  }
}
