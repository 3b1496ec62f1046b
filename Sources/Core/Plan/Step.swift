package import RuleSets

/// One change to the kernel. Each is a single message or transaction and leaves the router in a state that the next
/// reconcile understands, wherever the process is killed. Each is safe to repeat, but for `changeNftTable`, which is a
/// change of what was seen, and good once.
package enum Step: Equatable, Sendable {
  case createTunnel(TunnelDevice)
  /// Sets every parameter of a device that exists (same name, same encapsulation kind).
  case changeTunnel(TunnelDevice)
  case deleteDevice(InterfaceName)
  case setMTU(InterfaceName, Int)
  case addAddress(InterfaceName, InterfaceAddress, peer: IPv4Address?)
  case removeAddress(InterfaceName, InterfaceAddress)
  case setUp(InterfaceName)
  /// The values before are remembered on disk first, all at once, but for devices that are ours. One that fails keeps none
  /// of the others from being changed.
  case changeSettings([InterfaceSetting: Int])
  /// Puts back what `changeSettings` remembered of these, if anything.
  case restoreSettings([InterfaceSetting])
  /// Adds, or replaces what has the same table, destination and metric.
  case putRoute(TableRoute)
  case deleteRoute(TableRoute)
  case addRule(RoutingRule)
  case deleteRule(RoutingRule)
  /// The whole table, whatever was there under this name before. What steers changes in one transaction; sets too large for
  /// that are filled before, where no rule asks them.
  case replaceNftTable(NftTable)
  /// A part of the table that is there, in one transaction; the rest stays as it is. Refused where the
  /// table is not as it was seen.
  case changeNftTable(NftChange)
  /// Elements of sets of the table that is there, in one transaction. Large changes are several of these: see `SetSweep`.
  case changeSets(table: String, [SetChange])
  case deleteNftTable(table: String)
  /// Gives connections of older marks theirs of now.
  case moveMarks(MarkMigration)
}

package struct SetChange: Equatable, Sendable {
  package var set: String
  package var remove: [ClosedRange<UInt32>]
  package var add: [ClosedRange<UInt32>]

  package init(set: String, remove: [ClosedRange<UInt32>], add: [ClosedRange<UInt32>]) {
    self.set = set
    self.remove = remove
    self.add = add
  }

  /// From the elements that are there to those of `wanted`.
  package init(from present: [ClosedRange<UInt32>], to wanted: NftSet) {
    let (old, new) = (Set(present), Set(wanted.ranges))
    self.init(
      set: wanted.name, remove: present.filter { !new.contains($0) }, add: wanted.ranges.filter { !old.contains($0) })
  }
}

/// The steps from what is to what should be, in the order create → flip → delete. Whoever runs it makes the flips that
/// need what was created before the first deletion: what is deleted may still carry traffic until then.
package struct Plan: Equatable, Sendable {
  package var steps: [Step]
  /// The index of the first step that only clears away.
  package var firstDeletion: Int

  package init(_ steps: [Step] = []) { self.init(creating: steps, deleting: []) }

  package init(creating: [Step], deleting: [Step]) {
    steps = creating + deleting
    firstDeletion = creating.count
  }

  package var isEmpty: Bool { steps.isEmpty }
  package var creating: ArraySlice<Step> { steps.prefix(firstDeletion) }
  package var deleting: ArraySlice<Step> { steps.dropFirst(firstDeletion) }
}
