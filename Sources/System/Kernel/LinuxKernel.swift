package import Agent
package import Core
internal import Glibc
internal import Netlink
package import RuleSets
internal import Synchronization

/// The kernel of the network namespace in which this was made.
package final class LinuxKernel: KernelPort {
  private let ranges: KernelRanges
  private let settings: InterfaceSettings
  private let state: Mutex<KernelState>
  /// For `LinuxKernelEvents`.
  package let ports: OwnPorts
  package let news: TableNews

  /// - Parameters:
  ///   - stateDirectory: where it is remembered what sysctls were before.
  ///   - mendsMemory: for the agent: a damaged memory is set aside, and what could not be written is tried again.
  package init(
    _ ranges: KernelRanges, stateDirectory: String, mendsMemory: Bool = false
  ) throws(KernelFailure) {
    let news = TableNews()
    let state = try asking(nil) { () throws(NetlinkFailure) in try KernelState(ranges, news: news) }
    self.news = news
    self.ranges = ranges
    settings = InterfaceSettings(stateDirectory: stateDirectory, mends: mendsMemory)
    ports = OwnPorts(routing: [state.routing.port], netfilter: [state.netfilter.port])
    self.state = Mutex(state)
  }

  package func read(expecting: (ActualState) -> NftTable?) throws(KernelFailure) -> ActualState {
    let ofAll = settings.readOfAll()
    return try state.withLock { (state) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in try state.read(settings: ofAll, expecting: expecting) }
    }
  }

  package func rememberedSettings() -> RememberedSettings { settings.remembered() }

  package func apply(_ step: Step) throws(KernelFailure) {
    switch step {
    case .changeSettings(let values):
      try settings.change(to: values) { (device) throws(KernelFailure) in try isOurs(device) }
    case .restoreSettings(let changed): try settings.restore(changed)
    // The kernel names the rule or set that it refuses; the whole table would be a long operation.
    case .replaceNftTable, .changeNftTable, .changeSets, .deleteNftTable: try apply(step, operation: nil)
    default: try apply(step, operation: PlanText(ranges).lines(step).first)
    }
  }

  private func apply(_ step: Step, operation: String?) throws(KernelFailure) {
    try state.withLock { (state) throws(KernelFailure) in
      try asking(operation) { () throws(NetlinkFailure) in try state.apply(step) }
    }
  }

  private func isOurs(_ device: InterfaceName) throws(KernelFailure) -> Bool {
    try state.withLock { (state) throws(KernelFailure) in
      try asking("ip link show \(device)") { () throws(NetlinkFailure) in
        let translation = state.translation
        return try state.routing.link(named: device.text).map(translation.isOurs) ?? false
      }
    }
  }

  package func deleteConnections(
    marked mark: Mark, mask: MarkMask, from sources: [ClosedRange<UInt32>]?
  ) throws(KernelFailure) {
    try state.withLock { (state) throws(KernelFailure) in
      try asking("conntrack -D --mark \(mark)/\(mask)") { () throws(NetlinkFailure) in
        try state.deleteConnections(marked: mark, mask: mask, from: sources)
      }
    }
  }

  package func moveConnections(
    marked mark: Mark, mask: MarkMask, from sources: [ClosedRange<UInt32>], to heirs: [Mark]
  ) throws(KernelFailure) {
    try state.withLock { (state) throws(KernelFailure) in
      try asking("conntrack -U --mark \(mark)/\(mask)") { () throws(NetlinkFailure) in
        try state.moveConnections(marked: mark, mask: mask, from: sources, to: heirs)
      }
    }
  }

  package func deleteStaleConnections(
    marked mark: Mark, mask: MarkMask, sentFrom address: IPv4Address
  ) throws(KernelFailure) -> Int {
    try state.withLock { (state) throws(KernelFailure) in
      try asking("conntrack -D --mark \(mark)/\(mask)") { () throws(NetlinkFailure) in
        try state.deleteStaleConnections(marked: mark, mask: mask, sentFrom: address)
      }
    }
  }

  package func deleteEarlyConnections(
    from sources: [ClosedRange<UInt32>], mask: MarkMask
  ) throws(KernelFailure) -> Int {
    try state.withLock { (state) throws(KernelFailure) in
      try asking("conntrack -D --mark 0x0/\(mask)") { () throws(NetlinkFailure) in
        try state.deleteEarlyConnections(from: sources, mask: mask)
      }
    }
  }
}
