package import Agent
package import Core
internal import Glibc
internal import Netlink
internal import RuleSets
internal import Synchronization

/// The kernel of the network namespace in which this was made.
package final class LinuxKernel: KernelPort {
  private let ranges: KernelRanges
  private let settings: InterfaceSettings
  private let state: Mutex<KernelState>
  /// The sockets' ports, so that `LinuxKernelEvents` can tell our own changes.
  package let ports: OwnPorts
  package let news: TableNews

  /// - Parameters:
  ///   - stateDirectory: where the sysctls' earlier values are remembered.
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

  /// Reads everything under one lock, so that no step of ours falls in between. The sysctls that apply to all devices
  /// are read first, from /proc.
  package func read(expecting: (ActualState) -> NftTable?) throws(KernelFailure) -> ActualState {
    let ofAll = settings.readOfAll()
    return try state.withLock { (state) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in try state.read(settings: ofAll, expecting: expecting) }
    }
  }

  /// From memory, with what became of the file in the state directory.
  package func rememberedSettings() -> RememberedSettings { settings.remembered() }

  /// Sysctls are files and are changed here; everything else is netlink. The failure names the step as an operator
  /// would type it.
  package func apply(_ step: Step) throws(KernelFailure) {
    switch step {
    case .changeSettings(let values):
      try settings.change(to: values) { (device) throws(KernelFailure) in try isOurs(device) }
    case .restoreSettings(let changed): try settings.restore(changed)
    // The failure names the rule or set that the kernel refused; the whole table would be too long to name.
    case .replaceNftTable, .changeNftTable, .changeSets, .renewSets, .deleteNftTable, .putFastTable, .deleteFastTable:
      try apply(step, operation: nil)
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

  /// A few sweeps by nothing but a mark are left to the kernel, which gives no count for them; all others share one
  /// walk through the table.
  package func sweep(_ sweeps: [ConnectionSweep], mask: MarkMask) throws(KernelFailure) -> [Int?] {
    let marks = Set(sweeps.map(\.mark)).sorted().prefix(3).map(\.description).joined(separator: ", ")
    return try state.withLock { (state) throws(KernelFailure) in
      try asking("conntrack --mark \(marks)/\(mask)") { () throws(NetlinkFailure) in
        try state.sweep(sweeps, mask: mask)
      }
    }
  }
}
