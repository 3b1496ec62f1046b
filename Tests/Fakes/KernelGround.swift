package import Agent
package import Core
package import RuleSets

/// A kernel to try the contract on, empty except for loopback, and things that an operator does beside us.
package protocol KernelGround {
  var ranges: KernelRanges { get }
  var kernel: any KernelPort { get }
  var flip: any FlipPort { get }
  var traffic: any TrafficPort { get }
  var lookup: any LookupPort { get }
  var foreign: any ForeignPort { get }
  var sight: any SightPort { get }

  /// Someone else's device, up and with carrier.
  func addDevice(_ name: InterfaceName, address: InterfaceAddress?) throws
  /// A default route of main, metric 0, by a gateway that no address of the device covers.
  func addMainDefault(_ device: InterfaceName, onLink gateway: IPv4Address) throws
  /// The router at the other end of the device reports that no packet larger than this (at most 1472) fits along the
  /// path to an address that main routes to it.
  func learnPathMTU(_ mtu: Int, to destination: IPv4Address, by device: InterfaceName, from router: IPv4Address) throws
  func setDown(_ name: InterfaceName) throws
  func removeDevice(_ name: InterfaceName) throws
  /// Another program's route or rule, without our protocol number.
  func addForeign(_ route: TableRoute) throws
  func addForeign(_ rule: RoutingRule) throws
  /// Another program's base chain, in a new table.
  func addForeign(_ filter: PacketFilter) throws
  /// Another program's chain, in a new table, with a rule that sets these bits of packets' marks.
  func addForeign(_ mark: ForeignMark) throws
  /// Another program's GRE tunnel over wan0, as made by hand.
  func addForeignTunnel(_ name: InterfaceName, alias: String) throws
  func setAlias(_ name: InterfaceName, _ alias: String) throws
  /// The objects of `unspoilt`, made by another program so that routes and rules look like ours.
  func spoil(_ spoiling: Spoiling, table: TableID) throws
  func spoil(_ spoiling: TunnelSpoiling, of device: TunnelDevice) throws
  /// Another program puts an address into a set of our table.
  func feed(_ set: String, _ address: IPv4Address) throws
  var fedSets: any FedSetPort { get }
  /// The router sends this many IPv4 packets to itself.
  func sendToItself(_ packets: Int) throws
  /// What a counter of our table has counted, in packets.
  func counted(by counter: String) throws -> UInt64
  func foreignRoutes(_ table: TableID) throws -> Int
  func rules(at priority: RulePriority) throws -> Int
}

/// How a kernel broke the contract.
package struct ContractBreach: Error, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

extension KernelGround {
  func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    if !condition { throw ContractBreach(what()) }
  }

  func expect<T: Equatable>(_ actual: T, is expected: T, _ what: String) throws {
    if actual != expected { throw ContractBreach("\(what): \(actual), not \(expected)") }
  }

  /// The step fails with this errno; 0: because it would touch what is foreign.
  func expect(_ step: Step, failsWith errno: Int32) throws {
    do throws(KernelFailure) { try kernel.apply(step) } catch {
      return try expect(error.errno, is: errno, "errno of \(error)")
    }
    throw ContractBreach("\(step) succeeded, errno \(errno) was expected")
  }

  func apply(_ steps: [Step]) throws {
    for step in steps { try kernel.apply(step) }
  }

  func read(expecting: NftTable? = nil) throws -> ActualState { try kernel.read(expecting: expecting) }
}
