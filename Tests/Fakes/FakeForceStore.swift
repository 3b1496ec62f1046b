package import Agent
package import Core
package import RuleSets
internal import Synchronization

/// A disk for forced paths, in memory, that outlasts the stores on it. Fails when told to.
package final class FakeForceStore: ForceStore {
  private struct State {
    var forces: [Name: ForcedPaths.Entry]?
    var isDamaged = false
    var aside: [String] = []
    var saves = 0
    var failure: StoreFailure?
  }
  private let state = Mutex(State())

  package init(_ forces: [Name: ForcedPaths.Entry]? = nil) { state.withLock { $0.forces = forces } }

  package var kept: [Name: ForcedPaths.Entry] { state.withLock { $0.forces ?? [:] } }
  package var saves: Int { state.withLock { $0.saves } }
  package var aside: [String] { state.withLock { $0.aside } }
  package func damage() { state.withLock { $0.isDamaged = $0.forces != nil } }
  /// Saves fail from now on; nil: no longer.
  package func fail(with failure: StoreFailure?) { state.withLock { $0.failure = failure } }

  package func load() throws(StoreFailure) -> [Name: ForcedPaths.Entry] {
    let (forces, isDamaged) = state.withLock { ($0.forces, $0.isDamaged) }
    if isDamaged { throw StoreFailure(operation: "read forces", cause: "its checksum is wrong") }
    return forces ?? [:]
  }

  package func save(_ forces: [Name: ForcedPaths.Entry]) throws(StoreFailure) {
    if let failure = state.withLock({ $0.failure }) { throw failure }
    state.withLock {
      $0.forces = forces
      $0.isDamaged = false
      $0.saves += 1
    }
  }

  package func setAside() throws(StoreFailure) -> String {
    let place = state.withLock { state -> String? in
      guard state.forces != nil else { return nil }
      state.forces = nil
      state.isDamaged = false
      state.aside = ["forces.damaged"]
      return state.aside.last
    }
    guard let place else { throw StoreFailure(operation: "set forces aside", cause: "there are none") }
    return place
  }
}

package struct FakeForceGround: ForceGround {
  private let store = FakeForceStore()
  package init() {}
  package func restarted() -> any ForceStore { store }
  package func damage() { store.damage() }
  package func crashWhileSaving() {}
  package func isThere(_ place: String) -> Bool { store.aside.contains(place) }
}
