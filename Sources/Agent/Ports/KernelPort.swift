package import Core
package import RuleSets

/// The kernel, as reconcile sees it. Called from one task at a time, never from the event loop.
///
/// Contract: `read` reports only what is there, ours by tag; `apply` does one step and throws what the kernel answered.
/// A step whose effect is there already (a route, address or rule that exists; a device, route or rule that is gone)
/// succeeds. Nothing foreign is ever changed or deleted: a step that would touch a foreign object throws.
package protocol KernelPort: Sendable {
  /// `expecting` gets everything else that was read and returns the nftables rules to recognise; all others come back
  /// as `unrecognised`.
  func read(expecting: (ActualState) -> NftTable?) throws(KernelFailure) -> ActualState
  func apply(_ step: Step) throws(KernelFailure)
  /// The values that foreign interfaces' settings had before `changeSettings` changed them. Never fails: the values are
  /// a help, and any trouble is reported beside them.
  func rememberedSettings() -> RememberedSettings
  /// Deletes connections, or gives them another mark, as if one sweep were made after the other, and returns once the
  /// kernel has done it. Addresses of sweeps are ascending and apart. Bits of a connection's mark outside the mask
  /// stay.
  ///
  /// - Returns: how many connections each has matched; nil if the kernel does not say.
  func sweep(_ sweeps: [ConnectionSweep], mask: MarkMask) throws(KernelFailure) -> [Int?]
}

/// What foreign interfaces' settings were before we changed them, as far as that is known.
package struct RememberedSettings: Equatable, Sendable {
  package var values: [InterfaceSetting: Int]
  /// Why a restart would not know them; nil while it would.
  package var trouble: String?
  /// Saved data from an earlier run that cannot be used, and what was done with it; nil if there is none.
  package var damage: String?

  package init(values: [InterfaceSetting: Int] = [:], trouble: String? = nil, damage: String? = nil) {
    self.values = values
    self.trouble = trouble
    self.damage = damage
  }
}

extension KernelPort {
  /// For a caller that knows beforehand which table to expect; nil recognises none of its rules.
  package func read(expecting table: NftTable?) throws(KernelFailure) -> ActualState { try read { _ in table } }
}

/// The active default route of a backhaul rule's table: the flip. Called only on the event loop, so each call is one
/// message to the kernel and its answer.
package protocol FlipPort: Sendable {
  /// Adds the route, or atomically replaces the one that has the same table, destination and metric.
  func activate(_ route: TableRoute) throws(KernelFailure)
  /// Removes the active route, so that the floor is what is left. One that is gone already is no error.
  func deactivate(_ table: TableID) throws(KernelFailure)
  /// The active route that the kernel has in each of these tables. Tables of tunnels and uplinks have one of that
  /// metric too, and are not asked for.
  func activeRoutes(of tables: Set<TableID>) throws(KernelFailure) -> [TableID: TableRoute.Way]
}

/// A change in the kernel that was not our own doing.
package enum KernelEvent: Equatable, Sendable {
  /// A device came or changed its carrier, flags, MTU or name; nil: it is gone.
  case link(InterfaceName, Link?)
  /// An IPv4 address came or went.
  case address(InterfaceName)
  /// A default route that is not ours may have changed: one of main, or of a table that an ip rule leads to.
  case mainRoute
  /// Another program's rule or short route changed that may take clients' packets before ours; it does not affect our
  /// own objects.
  case foreign(String)
  /// Another program changed nftables of its own. Told only where connections are offloaded: they go past it until they are
  /// set up again.
  case firewall
  /// A route, rule or nftables object of ours, or in our ranges, changed.
  case ours(String)
  /// Another program, the router's resolver as a rule, has put addresses into the set of this rule's domains;
  /// none: it has taken some out.
  case learnt(Name, [IPv4Address])
  /// The kernel's neighbour lookups for this address have failed: nobody on the device's link answers for it.
  case neighbourFailed(InterfaceName, IPv4Address)
  /// A router on the way says that packets to this address are too large: the kernel knows a smaller path MTU by now.
  case pathMTU(IPv4Address)
  /// The socket overflowed (ENOBUFS): anything may have changed.
  case overrun
}

/// Notices of changes in the kernel, as they happen.
package protocol KernelEventsPort: Sendable {
  /// Calls `handler` on the loop for each event, from now on. Our own changes are not reported, except for devices: a
  /// path's health follows from them, whoever changed them.
  func start(on loop: any EventLoop, _ handler: @escaping @Sendable (KernelEvent) -> Void) throws(KernelFailure)
}

/// A call to the kernel that failed: what was asked, of which object, and what came back.
package struct KernelFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// The operation as an operator would type it: `ip route replace default dev bh-fra table 7902`.
  package var operation: String
  /// The errno; 0 where the failure is our own.
  package var errno: Int32
  /// The kernel's own words (extended acknowledgement), or strerror's.
  package var cause: String

  package init(operation: String, errno: Int32, cause: String) {
    self.operation = operation
    self.errno = errno
    self.cause = cause
  }

  package var description: String {
    errno == 0 ? "\(operation): \(cause)" : "\(operation): \(cause) (errno \(errno))"
  }
}
