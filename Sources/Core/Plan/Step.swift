package import RuleSets

/// One change to the kernel. Each is a single message or transaction and leaves the router in a state that the next
/// reconcile understands, wherever the process is killed. Each is safe to repeat, except `changeNftTable`, which
/// changes what was seen and works once.
package enum Step: Equatable, Sendable {
  case createTunnel(TunnelDevice)
  /// Sets every parameter of a device that exists (same name, same encapsulation kind).
  case changeTunnel(TunnelDevice)
  case deleteDevice(InterfaceName)
  case setMTU(InterfaceName, Int)
  case addAddress(InterfaceName, InterfaceAddress, peer: IPv4Address?)
  case removeAddress(InterfaceName, InterfaceAddress)
  case setUp(InterfaceName)
  /// The old values are first remembered on disk, all at once, except those of our own devices. If one fails, the
  /// others are changed all the same.
  case changeSettings([InterfaceSetting: Int])
  /// Puts back what `changeSettings` remembered of these, if anything.
  case restoreSettings([InterfaceSetting])
  /// Adds, or replaces what has the same table, destination and metric.
  case putRoute(TableRoute)
  case deleteRoute(TableRoute)
  case addRule(RoutingRule)
  case deleteRule(RoutingRule)
  /// The whole table, whatever existed under this name before. The part that steers changes in one transaction; sets
  /// too large for that are filled before, while no rule uses them.
  case replaceNftTable(NftTable)
  /// A part of the existing table, in one transaction; the rest stays as it is. Refused if the table has changed since
  /// it was seen.
  case changeNftTable(NftChange)
  /// Elements of sets in the existing table, in one transaction. A large change takes several of these: see `SetSweep`.
  case changeSets(table: String, [SetChange])
  /// Other contents of sets in the existing table, by new sets that take the place of the old ones. The rules that ask
  /// them go on counting where they were.
  case renewSets(table: String, SetRenewal)
  case deleteNftTable(table: String)
  /// The whole table of the flowtable, whatever existed under this name before, in one transaction. Every flow that was in
  /// it goes through the chains again with its next packet.
  case putFastTable(NftTable)
  /// From now on each packet goes through the chains.
  case deleteFastTable(table: String)
  /// Gives connections of older marks theirs of now.
  case moveMarks(MarkMigration)
}

extension Step {
  /// Changes our nftables table, and nothing else.
  package var isNftTable: Bool {
    switch self {
    case .replaceNftTable, .changeNftTable, .changeSets, .renewSets, .deleteNftTable: true
    default: false
    }
  }
}

/// What to remove from and add to one set: closed ranges of addresses in host byte order.
package struct SetChange: Equatable, Sendable {
  package var set: String
  package var remove: [ClosedRange<UInt32>]
  package var add: [ClosedRange<UInt32>]

  package init(set: String, remove: [ClosedRange<UInt32>], add: [ClosedRange<UInt32>]) {
    self.set = set
    self.remove = remove
    self.add = add
  }

  /// The change from the existing elements, ascending, to those of `wanted`.
  package init(from present: [ClosedRange<UInt32>], to wanted: NftSet) {
    self.init(set: wanted.name, remove: [], add: [])
    // Both ascend: one look at each, where sets of 100,000 would be made twice to see that ten differ.
    var (old, new) = (present[...], wanted.ranges[...])
    while let one = old.first, let other = new.first {
      if one == other {
        old.removeFirst()
        new.removeFirst()
      } else if (one.lowerBound, one.upperBound) < (other.lowerBound, other.upperBound) {
        remove.append(one)
        old.removeFirst()
      } else {
        add.append(other)
        new.removeFirst()
      }
    }
    remove += old
    add += new
  }

  /// What a set that holds `present`, ascending, holds after it, ascending.
  package func applied(to present: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    let removed = Set(remove)
    var added = add.sorted { $0.lowerBound < $1.lowerBound }[...]
    var result: [ClosedRange<UInt32>] = []
    result.reserveCapacity(present.count + add.count)
    for range in present where !removed.contains(range) {
      while let next = added.first, next.lowerBound < range.lowerBound {
        result.append(next)
        added.removeFirst()
      }
      result.append(range)
    }
    return result + added
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
