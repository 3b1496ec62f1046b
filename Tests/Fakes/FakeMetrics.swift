package import Agent
package import Core
internal import Synchronization

/// A machine in memory where metrics are served in one place and written to one file, and which outlasts the agents on
/// it. Refuses a place that is taken, and whatever the test says it must.
package final class FakeMetricsMachine: Sendable {
  fileprivate struct State {
    /// The listener's page; nil: another program listens.
    var listener: (owner: ObjectIdentifier?, page: @Sendable () async -> [UInt8])?
    var sitting = 0
    var file: [UInt8]?
    var failure: StoreFailure?
  }
  fileprivate let state = Mutex(State())
  package let capacity: Int

  package init(capacity: Int = 8) { self.capacity = capacity }

  package var file: [UInt8]? { state.withLock { $0.file } }
  package var isListenedOn: Bool { state.withLock { $0.listener != nil } }
  /// Writes fail from now on; nil: no longer.
  package func fail(with failure: StoreFailure?) { state.withLock { $0.failure = failure } }

  package func scrape() async -> [UInt8]? {
    let listener = state.withLock { $0.sitting < capacity ? $0.listener : nil }
    guard let listener, listener.owner != nil else { return nil }
    return await listener.page()
  }

  fileprivate func take(
    for owner: ObjectIdentifier?, _ page: @escaping @Sendable () async -> [UInt8]
  ) throws(StoreFailure) {
    let isTaken = state.withLock { state in
      if state.listener != nil { return true }
      state.listener = (owner, page)
      return false
    }
    if isTaken { throw StoreFailure(operation: "bind 127.0.0.1:9469", cause: "Address already in use") }
  }

  fileprivate func give(back owner: ObjectIdentifier?) {
    state.withLock { if let listener = $0.listener, listener.owner == owner { $0.listener = nil } }
  }
}

package final class FakeMetrics: MetricsPort {
  private let machine: FakeMetricsMachine
  private let configuration: MetricsConfiguration

  package init(_ configuration: MetricsConfiguration, on machine: FakeMetricsMachine) {
    self.machine = machine
    self.configuration = configuration
  }

  package func listen(_ page: @escaping @Sendable () async -> [UInt8]) throws(StoreFailure) {
    guard configuration.listener != nil else { return }
    try machine.take(for: ObjectIdentifier(self), page)
  }

  package func write(_ page: [UInt8]) throws(StoreFailure) {
    guard configuration.textfile != nil else { return }
    let failure = machine.state.withLock { state in
      if state.failure == nil { state.file = page }
      return state.failure
    }
    if let failure { throw failure }
  }

  package func close() { machine.give(back: ObjectIdentifier(self)) }
}

package struct FakeMetricsGround: MetricsGround {
  private let machine = FakeMetricsMachine()
  package init() {}
  package var capacity: Int { machine.capacity }
  package func restarted(configured: Bool) -> any MetricsPort {
    FakeMetrics(
      configured ? MetricsConfiguration(listener: .unix(path: "/m.sock"), textfile: "/m.prom") : MetricsConfiguration(),
      on: machine)
  }
  package func scrape() async -> [UInt8]? { await machine.scrape() }
  package func sit() { machine.state.withLock { $0.sitting += 1 } }
  package func leave() { machine.state.withLock { $0.sitting = 0 } }
  package func occupy() throws { try machine.take(for: nil) { [] } }
  package func vacate() { machine.give(back: nil) }
  package func file() -> [UInt8]? { machine.file }
  package func opened() -> () throws -> [UInt8] {
    let page = machine.file ?? []
    return { page }
  }
  package func isForEveryone() -> Bool { true }
  package func refuseWrites(_ isRefusing: Bool) {
    machine.fail(with: isRefusing ? StoreFailure(operation: "write /m.prom.new", cause: "No space left") : nil)
  }
}
