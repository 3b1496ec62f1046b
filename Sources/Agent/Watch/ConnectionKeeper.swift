package import Core
internal import RuleSets

/// Looks at the connection tracking table, keeps our own connections in it, and tells the watch what silence proves.
package actor ConnectionKeeper {
  /// A flood fills a table within seconds.
  static let period: Duration = .seconds(1)
  /// A connection that nothing refreshes lives ten seconds at the least (nf_conntrack_icmp_timeout is 30 by default).
  static let holdPeriod: Duration = .seconds(10)

  private let port: any ConnectionTablePort
  private let watch: PathWatch
  private let events: any EventSink
  private let surroundings: any Surroundings
  private(set) package var table = ConnectionTable()
  /// How it was read last, while it is full.
  package var overflow: ConnectionTable.Reading? { table.isFull ? table.reading : nil }
  private var missing: Set<TrackedFlow> = []
  private var held: Set<TrackedFlow> = []
  private var lastHold: Instant?
  /// Why the table cannot be read; told once.
  private var trouble: String?

  package init(
    port: any ConnectionTablePort, watch: PathWatch, events: any EventSink, surroundings: any Surroundings
  ) {
    self.port = port
    self.watch = watch
    self.events = events
    self.surroundings = surroundings
  }

  /// Works until cancelled. What is held stays so.
  package func run() async {
    while !Task.isCancelled {
      await turn()
      await surroundings.sleep(Self.period)
    }
  }

  func turn() async {
    let flows = await watch.trackedFlows
    do throws(KernelFailure) {
      guard let reading = try port.reading() else { return }
      tell(table.read(reading, at: surroundings.now))
      try hold(flows)
      trouble = nil
    } catch {
      tell(error)
    }
    await watch.connectionTableChanged(isFull: table.isFull, missing: missing)
  }

  /// What is new, or was missing, at once; all of them now and then.
  private func hold(_ flows: Set<TrackedFlow>) throws(KernelFailure) {
    let now = surroundings.now
    if lastHold.map({ now - $0 >= Self.holdPeriod }) ?? true {
      held = []
      lastHold = now
    }
    let open = flows.subtracting(held)
    missing = open.isEmpty ? [] : try port.hold(open)
    held = flows.subtracting(missing)
  }

  private func tell(_ change: ConnectionTable.Change?) {
    guard let reading = table.reading else { return }
    let fill = "\(reading.used) of \(reading.limit) connections"
    switch change {
    case .filled?:
      events.record(
        AgentEvent(
          .connectionTableFull, "connections",
          "the connection tracking table is full (\(fill)): clients cannot open new connections, and a probe that "
            + "needs one "
            + "proves nothing",
          details: [
            "used": "\(reading.used)", "limit": "\(reading.limit)", "refused": "\(reading.refused)",
            "evicted": "\(reading.evicted)",
          ]))
    case .relieved(let after)?:
      events.record(
        AgentEvent(
          .connectionTableRelieved, "connections", "the connection tracking table has room again (\(fill))",
          details: ["duration_seconds": AgentEvent.seconds(after)]))
    case nil: break
    }
  }

  private func tell(_ failure: KernelFailure) {
    guard trouble == nil else { return }
    trouble = failure.description
    events.record(
      AgentEvent(
        .applyFailed, "connections",
        "cannot keep the router's own connections in a full table, will try again: \(failure)"))
  }
}
