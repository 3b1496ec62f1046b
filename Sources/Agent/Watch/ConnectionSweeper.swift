package import Core
internal import RuleSets
internal import Synchronization

/// Sweeps that wait to be carried out: all that wait together share one walk through the kernel's table.
package final class SweepQueue: Sendable {
  private let waiting = Mutex<[ConnectionSweep]>([])
  /// Rings when a sweep is waiting.
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

  /// Takes out everything that waits, in the order in which it was asked for.
  package func take() -> [ConnectionSweep] {
    waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
  }
}

/// Deletes or moves connections off the event loop: the kernel walks its whole table, which takes tens of milliseconds
/// for a large one.
package actor ConnectionSweeper {
  private let kernel: any KernelPort
  private let mask: MarkMask
  private let events: any EventSink

  package init(kernel: any KernelPort, mask: MarkMask, events: any EventSink) {
    self.kernel = kernel
    self.mask = mask
    self.events = events
  }

  /// Carries out the sweeps in one call to the kernel and records the results. A failure is recorded too and not
  /// retried: those flows hang until the kernel times them out.
  package func sweep(_ sweeps: [ConnectionSweep]) {
    guard !sweeps.isEmpty else { return }
    do {
      // A way may have several marks.
      var told: Set<String> = []
      for (sweep, count) in zip(sweeps, try kernel.sweep(sweeps, mask: mask)) {
        guard let event = Self.event(of: sweep, count), told.insert(event.text).inserted else { continue }
        events.record(event)
      }
    } catch {
      for way in Set(sweeps.map(\.way)).sorted() {
        events.record(AgentEvent(.applyFailed, way, "flows of \(way) may hang until they time out: \(error)"))
      }
    }
  }

  /// - Parameter count: how many it matched; nil if the kernel does not say.
  private static func event(of sweep: ConnectionSweep, _ count: Int?) -> AgentEvent? {
    if sweep.isSilent { return nil }
    let way = sweep.way
    if let address = sweep.address {
      guard let count, count > 0 else { return nil }
      return AgentEvent(
        .connectionsDeleted, way, "\(count) flows are set up again: \(way) sends from \(address) now")
    }
    if sweep.isOfTheUnmarked {
      guard let count, count > 0 else { return nil }
      return AgentEvent(.connectionsDeleted, way, "\(count) connections from before the rules are set up again")
    }
    if !sweep.heirs.isEmpty {
      return AgentEvent(.connectionsMoved, way, "live flows of \(way) go on by the new way")
    }
    return AgentEvent(.connectionsDeleted, way, "live flows of \(way) are set up again on the new way")
  }
}
