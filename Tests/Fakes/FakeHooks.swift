package import Agent
internal import Synchronization

/// A folder of hooks that a test fills, and what was run of it.
package final class FakeHooks: HookPort {
  package struct Run: Equatable, Sendable {
    package var hook: String
    package var event: String
  }

  private struct State {
    var listing = HookListing()
    var outcomes: [String: HookOutcome] = [:]
    var begun: [Run] = []
    var held: [String: [CheckedContinuation<Void, Never>]] = [:]
    var isHeld: Set<String> = []
    var running: [String: Int] = [:]
    var mostAtOnce: [String: Int] = [:]
  }
  private let state = Mutex(State())

  package init(_ hooks: [String]) { state.withLock { $0.listing.hooks = hooks } }

  package var begun: [Run] { state.withLock { $0.begun } }
  /// How many runs of one hook there were at once, at most.
  package var mostAtOnce: Int { state.withLock { $0.mostAtOnce.values.max() ?? 0 } }

  package func refuse(_ hook: String, _ why: String) { state.withLock { $0.listing.refused[hook] = why } }
  package func end(_ hook: String, _ outcome: HookOutcome) { state.withLock { $0.outcomes[hook] = outcome } }
  /// Its runs hang until `release`.
  package func hold(_ hook: String) { state.withLock { _ = $0.isHeld.insert(hook) } }
  package func release(_ hook: String) {
    let waiting = state.withLock { state in
      state.isHeld.remove(hook)
      return state.held.removeValue(forKey: hook) ?? []
    }
    for run in waiting { run.resume() }
  }

  package func hooks() -> HookListing { state.withLock { $0.listing } }

  package func run(_ hook: String, environment: [String], limit: Duration) async -> HookOutcome {
    let event = environment.first { $0.hasPrefix("BACKHAUL_EVENT=") }.map { String($0.dropFirst(15)) } ?? ""
    state.withLock { state in
      state.begun.append(Run(hook: hook, event: event))
      state.running[hook, default: 0] += 1
      state.mostAtOnce[hook] = max(state.mostAtOnce[hook] ?? 0, state.running[hook] ?? 0)
    }
    await withCheckedContinuation { continuation in
      let waits = state.withLock { state in
        if state.isHeld.contains(hook) { state.held[hook, default: []].append(continuation) }
        return state.isHeld.contains(hook)
      }
      if !waits { continuation.resume() }
    }
    return state.withLock { state in
      state.running[hook, default: 1] -= 1
      return state.outcomes[hook] ?? HookOutcome(.exited(0))
    }
  }
}
