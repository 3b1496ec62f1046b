package import Core
internal import RuleSets

/// Deletes or moves connections off the event loop: the kernel walks its whole table for it, tens of milliseconds in a large one.
package actor ConnectionSweeper {
  private let kernel: any KernelPort
  private let mask: MarkMask
  private let events: any EventSink

  package init(kernel: any KernelPort, mask: MarkMask, events: any EventSink) {
    self.kernel = kernel
    self.mask = mask
    self.events = events
  }

  package func sweep(_ sweep: ConnectionSweep) {
    do {
      if let address = sweep.address {
        let count = try kernel.deleteStaleConnections(marked: sweep.mark, mask: mask, sentFrom: address)
        guard count > 0 else { return }
        return events.record(
          AgentEvent(
            .connectionsDeleted, sweep.way, "\(count) flows are set up anew: \(sweep.way) sends from \(address) now"))
      }
      if let sources = sweep.sources, !sweep.heirs.isEmpty {
        try kernel.moveConnections(marked: sweep.mark, mask: mask, from: sources, to: sweep.heirs)
        return events.record(
          AgentEvent(.connectionsMoved, sweep.way, "live flows of \(sweep.way) go on by the way now chosen"))
      }
      try kernel.deleteConnections(marked: sweep.mark, mask: mask, from: sweep.sources)
      events.record(
        AgentEvent(.connectionsDeleted, sweep.way, "live flows of \(sweep.way) are set up anew on the way now chosen"))
    } catch {
      events.record(
        AgentEvent(.applyFailed, sweep.way, "flows of \(sweep.way) may hang until they time out: \(error)"))
    }
  }
}
