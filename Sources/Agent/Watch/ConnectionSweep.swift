package import Core
package import RuleSets
internal import Synchronization

/// Connections that must go on elsewhere, because the way they were made on is left.
package struct ConnectionSweep: Equatable, Sendable {
  /// No mark of ours: of those of the unmarked only whose source was translated, as they left by an uplink.
  package var mark: Mark
  /// Nil: every connection of the mark.
  package var sources: [ClosedRange<UInt32>]?
  /// Those of the first packet; nil: any.
  package var destinations: [ClosedRange<UInt32>]?
  /// The path or uplink that is left, for the event.
  package var way: String
  /// The marks that they get, in turn; none: they are set up anew. One whose source was translated is set up anew in any
  /// case: what it was translated to is of the way that it was made on.
  package var heirs: [Mark]
  /// The uplink sends from this address now: only what left it with another that is no good any more, because the router
  /// does not have that one, or nobody has ever answered there.
  package var address: IPv4Address?

  package init(
    mark: Mark, sources: [ClosedRange<UInt32>]?, way: String, destinations: [ClosedRange<UInt32>]? = nil,
    heirs: [Mark] = [], address: IPv4Address? = nil
  ) {
    self.address = address
    self.destinations = destinations
    self.mark = mark
    self.sources = sources
    self.way = way
    self.heirs = heirs
  }

  /// Those from `sources` that were set up before they were steered.
  package static func early(from sources: [ClosedRange<UInt32>]) -> ConnectionSweep {
    ConnectionSweep(mark: Mark(value: 0), sources: sources, way: "early")
  }

  package var isOfTheUnmarked: Bool { mark.value == 0 }
  /// The mark says it all: the kernel finds them by itself.
  package var isOfTheMarkAlone: Bool {
    !isOfTheUnmarked && sources == nil && destinations == nil && heirs.isEmpty && address == nil
  }
}

/// Sweeps that are asked for, until somebody makes them: all that wait are one walk through the kernel's table.
package final class SweepQueue: Sendable {
  private let waiting = Mutex<[ConnectionSweep]>([])
  /// Something waits.
  package let bell: AsyncStream<Void>
  private let ring: AsyncStream<Void>.Continuation

  package init() {
    (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// Does not block.
  package func add(_ sweep: ConnectionSweep) {
    waiting.withLock { $0.append(sweep) }
    ring.yield()
  }

  package func take() -> [ConnectionSweep] {
    waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
  }
}

/// Deletes or moves connections off the event loop: the kernel walks its whole table for it, tens of milliseconds in a
/// large one.
package actor ConnectionSweeper {
  private let kernel: any KernelPort
  private let mask: MarkMask
  private let events: any EventSink

  package init(kernel: any KernelPort, mask: MarkMask, events: any EventSink) {
    self.kernel = kernel
    self.mask = mask
    self.events = events
  }

  package func sweep(_ sweeps: [ConnectionSweep]) {
    guard !sweeps.isEmpty else { return }
    do {
      for (sweep, count) in zip(sweeps, try kernel.sweep(sweeps, mask: mask)) { tell(sweep, count) }
    } catch {
      for way in Set(sweeps.map(\.way)).sorted() {
        events.record(AgentEvent(.applyFailed, way, "flows of \(way) may hang until they time out: \(error)"))
      }
    }
  }

  /// - Parameter count: how many it met; nil where the kernel does not say.
  private func tell(_ sweep: ConnectionSweep, _ count: Int?) {
    let way = sweep.way
    if let address = sweep.address {
      guard let count, count > 0 else { return }
      return events.record(
        AgentEvent(.connectionsDeleted, way, "\(count) flows are set up anew: \(way) sends from \(address) now"))
    }
    if sweep.isOfTheUnmarked {
      guard let count, count > 0 else { return }
      return events.record(
        AgentEvent(.connectionsDeleted, way, "\(count) connections from before the rules are set up anew"))
    }
    if !sweep.heirs.isEmpty {
      return events.record(
        AgentEvent(.connectionsMoved, way, "live flows of \(way) go on by the way now chosen"))
    }
    events.record(
      AgentEvent(.connectionsDeleted, way, "live flows of \(way) are set up anew on the way now chosen"))
  }
}
