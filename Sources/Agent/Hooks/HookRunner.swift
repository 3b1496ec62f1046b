package import Core
package import RuleSets
internal import Synchronization

/// Runs hooks for events, each hook once at a time. Recording an event only puts it into a bounded queue.
package actor HookRunner {
  /// Events that wait to be looked at: the folder is read for each.
  static let capacity = 256

  private let port: any HookPort
  private let configuration: HooksConfiguration
  private let device: Name
  private let surroundings: any Surroundings
  private nonisolated let calls: AsyncStream<HookCall>
  private nonisolated let inbox: AsyncStream<HookCall>.Continuation
  private nonisolated let unseen = Atomic<Int>(0)
  private var queues = HookQueues()
  private var refused: [String: String] = [:]
  private var events: (any EventSink)?
  private var isDone = false
  private(set) package var tally = HookTally()

  package init(
    _ configuration: HooksConfiguration, port: any HookPort, device: Name, surroundings: any Surroundings
  ) {
    self.configuration = configuration
    self.port = port
    self.device = device
    self.surroundings = surroundings
    (calls, inbox) = AsyncStream.makeStream(of: HookCall.self, bufferingPolicy: .bufferingNewest(Self.capacity))
  }

  /// Never waits. Callable from any thread.
  package nonisolated func noticed(_ event: AgentEvent) {
    guard let call = HookCall(event, at: surroundings.wallTime, on: device) else { return }
    if case .dropped = inbox.yield(call) { unseen.add(1, ordering: .relaxed) }
  }

  /// Runs until `finish`, and until what was noticed before that has been started.
  package func run(telling events: any EventSink) async {
    self.events = events
    for await call in calls { look(call) }
    isDone = true
  }

  /// Ends it, and waits a little for running hooks: the last ones are told that the agent is stopping.
  package func finish(within patience: Duration) async {
    inbox.finish()
    let deadline = surroundings.now + patience
    while !(isDone && queues.isIdle), surroundings.now < deadline { await surroundings.sleep(.milliseconds(10)) }
  }

  private func look(_ call: HookCall) {
    let missed = unseen.exchange(0, ordering: .relaxed)
    tally.dropped += missed
    let listing = port.hooks()
    tell(listing.refused)
    for hook in listing.hooks {
      let before = queues.droppedInAll
      let next = queues.came(call, for: hook)
      tally.dropped += queues.droppedInAll - before
      if let next { start(hook, next) }
    }
  }

  /// Once for each reason, not for each event.
  private func tell(_ new: [String: String]) {
    for (name, why) in new.sorted(by: { $0.key < $1.key }) where refused[name] != why {
      events?.record(
        AgentEvent(.hookRefused, name, "hook \(name) is not run: \(why)", details: ["cause": why]))
    }
    refused = new
  }

  private func start(_ hook: String, _ call: HookCall) {
    Task {
      let outcome = await port.run(hook, environment: call.environment, limit: configuration.timeLimit)
      ended(hook, call, outcome)
    }
  }

  private func ended(_ hook: String, _ call: HookCall, _ outcome: HookOutcome) {
    let printed = outcome.output.isEmpty ? "" : ": " + outcome.output.joined(separator: " / ")
    let event = call.event.kind.rawValue
    let failure: String? =
      switch outcome.end {
      case .exited(0): nil
      case .exited(let status): "ended with status \(status)"
      case .killed(let signal): "was ended by signal \(signal)"
      case .overTime: "took longer than \(configuration.timeLimit.components.seconds) s, and was killed"
      case .notStarted(let why): "could not be started: \(why)"
      }
    if let failure {
      tally.failures += 1
      events?.record(
        AgentEvent(
          .hookFailed, hook, "hook \(hook), run for \(event), \(failure)\(printed)", details: ["cause": failure]))
    } else {
      tally.successes += 1
      if !printed.isEmpty { events?.record(AgentEvent(.hookPrinted, hook, "hook \(hook), run for \(event)\(printed)")) }
    }
    let (next, missed) = queues.ended(hook)
    if missed > 0 {
      events?.record(
        AgentEvent(
          .hookFailed, hook, "hook \(hook) cannot keep up with events: it was not told of \(missed) of them",
          details: ["cause": "too slow", "missed": "\(missed)"]))
    }
    if let next { start(hook, next) }
  }
}
