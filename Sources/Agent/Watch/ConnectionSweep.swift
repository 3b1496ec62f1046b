package import Core

/// Connections that must be set up anew, because the way they were made on is left.
package struct ConnectionSweep: Equatable, Sendable {
  package var mark: Mark
  /// Nil: every connection of the mark.
  package var sources: [ClosedRange<UInt32>]?
  /// The path or uplink that is left, for the event.
  package var way: String

  package init(mark: Mark, sources: [ClosedRange<UInt32>]?, way: String) {
    self.mark = mark
    self.sources = sources
    self.way = way
  }
}

/// Deletes connections off the event loop: the kernel walks its whole table for it, tens of milliseconds in a large one.
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
      try kernel.deleteConnections(marked: sweep.mark, mask: mask, from: sweep.sources)
      events.record(
        AgentEvent(.connectionsDeleted, sweep.way, "live flows of \(sweep.way) are set up anew on the way now chosen"))
    } catch {
      events.record(
        AgentEvent(.applyFailed, sweep.way, "flows of \(sweep.way) may hang until they time out: \(error)"))
    }
  }
}
