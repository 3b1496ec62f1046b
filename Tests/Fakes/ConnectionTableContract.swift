package import Agent
package import Core
internal import RuleSets

/// What every connection tracking table must do: tried on the fake and on Linux.
package enum ConnectionTableContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case whatIsNotThereIsMissingAndNotMade
  case whatIsThereIsHeld
  case whatIsHeldIsHeldAgain
  case theReadingCounts

  package var description: String { rawValue }

  package func check(on ground: some ConnectionGround) throws {
    let flows = Self.flows
    switch self {
    case .whatIsNotThereIsMissingAndNotMade:
      let before = try ground.table.reading()?.used
      try ground.expect(try ground.table.hold(flows), is: flows, "missing")
      try ground.expect(try ground.table.hold([]), is: [], "missing of none")
      try ground.expect(try ground.table.reading()?.used, is: before, "connections")
    case .whatIsThereIsHeld:
      for flow in flows { try ground.track(flow) }
      let stranger = TrackedFlow(.icmp(identifier: 78), from: Self.ours, to: Self.hub)
      try ground.track(stranger)
      try ground.expect(try ground.table.hold(flows), is: [], "missing")
      for flow in flows { try ground.expect(try ground.isHeld(flow), is: true, "held \(flow)") }
      try ground.expect(try ground.isHeld(stranger), is: false, "what nobody asked for")
    case .whatIsHeldIsHeldAgain:
      for flow in flows { try ground.track(flow) }
      for _ in 1...2 { try ground.expect(try ground.table.hold(flows), is: [], "missing") }
    case .theReadingCounts:
      let before = try ground.reading()
      for flow in flows { try ground.track(flow) }
      let after = try ground.reading()
      try ground.expect(after.used - before.used, is: flows.count, "connections more")
      try ground.expect(after.limit, is: before.limit, "the limit")
    }
  }

  private static let ours = IPv4Address(value: 0xc633_6402)
  private static let hub = IPv4Address(value: 0xcb00_7102)
  private static let flows: Set<TrackedFlow> = [
    TrackedFlow(.icmp(identifier: 77), from: ours, to: hub), TrackedFlow(.udp(port: 4_500), from: ours, to: hub),
    TrackedFlow(.gre, from: ours, to: hub),
  ]
}

/// A table to try the contract on, without any of the connections that it tries.
package protocol ConnectionGround {
  var table: any ConnectionTablePort { get }
  /// Its first packet and the answer have been seen.
  func track(_ flow: TrackedFlow) throws
  /// The kernel evicts others before it.
  func isHeld(_ flow: TrackedFlow) throws -> Bool
}

extension ConnectionGround {
  fileprivate func expect<T: Equatable>(_ actual: T, is expected: T, _ what: String) throws {
    if actual != expected { throw ContractBreach("\(what): \(actual), not \(expected)") }
  }

  fileprivate func reading() throws -> ConnectionTable.Reading {
    guard let reading = try table.reading() else { throw ContractBreach("nothing is tracked here") }
    return reading
  }
}
