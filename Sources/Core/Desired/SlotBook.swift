/// Who has which slot. Marks and tables are numbered by it, and live flows carry those marks, so an owner keeps its slot
/// from one rule set to the next, over a restart too.
package struct SlotBook: Equatable, Sendable {
  package enum Owner: Hashable, Comparable, Sendable {
    case tunnel(Name)
    case uplink(InterfaceName)
    case rule(Name)
  }

  package private(set) var slots: [Owner: Slot]

  package init(_ slots: [Owner: Slot] = [:]) { self.slots = slots }

  package subscript(owner: Owner) -> Slot? { slots[owner] }

  /// The book for these owners: those who had a slot keep it, the others get the lowest free ones in the order given,
  /// and slots of owners that are gone are free again. Nil where there are more owners than slots.
  package func assigning(_ owners: [Owner], of available: Int) -> SlotBook? {
    var result: [Owner: Slot] = [:]
    var taken: Set<Int> = []
    for owner in owners {
      guard let slot = slots[owner], slot >= .first, slot.number <= available, taken.insert(slot.number).inserted
      else { continue }
      result[owner] = slot
    }
    var next = Slot.first.number
    for owner in owners where result[owner] == nil {
      while taken.contains(next) { next += 1 }
      guard next <= available, let slot = Slot(next) else { return nil }
      result[owner] = slot
      taken.insert(next)
    }
    return SlotBook(result)
  }
}
