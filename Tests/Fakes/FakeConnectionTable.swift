package import Agent
package import Core
internal import Synchronization

/// A connection tracking table in memory that evicts entries that are not held.
package final class FakeConnectionTable: ConnectionTablePort, ConnectionGround {
  private struct State {
    var flows: Set<TrackedFlow> = []
    var held: Set<TrackedFlow> = []
    var others = 0
    var evicted = 0
    var asked: [Set<TrackedFlow>] = []
  }

  private let limit: Int
  private let state = Mutex(State())

  package init(limit: Int = 1_000) { self.limit = limit }

  package var table: any ConnectionTablePort { self }
  package var asked: [Set<TrackedFlow>] { state.withLock { $0.asked } }

  package func reading() -> ConnectionTable.Reading? {
    state.withLock { .init(used: $0.flows.count + $0.others, limit: limit, evicted: $0.evicted) }
  }

  package func hold(_ flows: Set<TrackedFlow>) -> Set<TrackedFlow> {
    state.withLock { state in
      state.asked.append(flows)
      state.held.formUnion(flows.intersection(state.flows))
      return flows.subtracting(state.flows)
    }
  }

  // MARK: ConnectionGround

  package func track(_ flow: TrackedFlow) throws { state.withLock { _ = $0.flows.insert(flow) } }
  package func isHeld(_ flow: TrackedFlow) -> Bool { state.withLock { $0.held.contains(flow) } }

  /// Other connections take every place that is not held.
  package func flood() {
    state.withLock { state in
      state.evicted += state.flows.subtracting(state.held).count
      state.flows.formIntersection(state.held)
      state.others = limit - state.flows.count
    }
  }
}
