/// The numbers and names in the kernel that are ours alone. The defaults are clear of what other software takes.
package struct KernelRanges: Equatable, Sendable {
  package var markMask: MarkMask
  /// Slot n has table `tables.lowerBound + n`.
  package var tables: ClosedRange<UInt32>
  package var priorities: ClosedRange<UInt32>
  package var routeProtocol: RouteProtocol
  package var nftTable: String
  /// Our tunnels' devices are named this and the tunnel's name.
  package var interfacePrefix: String
  /// Settled connections are forwarded by a flowtable of ours.
  package var usesFlowtable: Bool

  package init(
    markMask: MarkMask? = nil, tables: ClosedRange<UInt32> = 7900...7999, priorities: ClosedRange<UInt32> = 9200...9299,
    routeProtocol: RouteProtocol = RouteProtocol(201), nftTable: String = "backhaul", interfacePrefix: String = "bh-",
    usesFlowtable: Bool = false
  ) {
    self.markMask = markMask ?? MarkMask.standard
    self.tables = tables
    self.priorities = priorities
    self.routeProtocol = routeProtocol
    self.nftTable = nftTable
    self.interfacePrefix = interfacePrefix
    self.usesFlowtable = usesFlowtable
  }

  /// How many slots both the mask and the table range have room for.
  package var slots: Int { min(markMask.slots, tables.count - 1, Slot.maximum) }

  /// The table of the flowtable, `inet backhaul_fast`: apart from the other one, so that a kernel that refuses it refuses
  /// nothing else.
  package var fastTable: String { nftTable + "_fast" }

  /// The fewest priorities that our ip rules need.
  package static let leastPriorities = 100

  /// The place of an ip rule, from 0 to 99. Where there are more priorities, they come between the 28th and the 29th, for
  /// marks (`MarkTree`).
  package func priority(_ place: UInt32) -> RulePriority {
    let more = UInt32(max(0, priorities.count - Self.leastPriorities))
    return RulePriority(priorities.lowerBound + place + (place < 29 ? 0 : more))
  }

  /// The routing table of a slot. The caller makes sure that the slot is one of `slots`.
  package func table(of slot: Slot) -> TableID { TableID(tables.lowerBound + UInt32(slot.number)) }
}
