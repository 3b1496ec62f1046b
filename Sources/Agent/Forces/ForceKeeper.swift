package import Core
package import RuleSets

/// Takes an operator's word on a path to the watch at once, keeps it over restarts, and takes it back when its time is
/// over.
package actor ForceKeeper {
  private let store: any ForceStore
  private let watch: PathWatch
  private let events: any EventSink
  private let surroundings: any Surroundings
  private var forces = ForcedPaths()
  /// Rung when the time of one is over.
  private let bells: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation
  private var alarm: Alarm?
  private var isStopped = false
  /// Why a restart will not know them; nil while it will.
  package private(set) var trouble: StoreFailure?

  package init(store: any ForceStore, watch: PathWatch, events: any EventSink, surroundings: any Surroundings) {
    self.store = store
    self.watch = watch
    self.events = events
    self.surroundings = surroundings
    (bells, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  package var entries: [Name: ForcedPaths.Entry] { forces.entries }

  /// Takes over what an earlier agent saved. To be called before the watch gets a plan, so that no verdict is made
  /// without it.
  package func start() async {
    let kept: [Name: ForcedPaths.Entry]
    do {
      kept = try store.load()
    } catch {
      return tellDamaged(error)
    }
    forces = ForcedPaths(kept, at: surroundings.now, surroundings.wallTime)
    let over = kept.keys.filter { forces.entries[$0] == nil }.sorted()
    for path in over { tellOver(path) }
    if !over.isEmpty { _ = save() }
    await apply()
  }

  /// Ends what is over, until cancelled. Takes nothing back then: the file stays as it is.
  package func run() async {
    for await _ in bells { await timePassed() }
    isStopped = true
    alarm?.cancel()
    alarm = nil
  }

  /// Returns why it will not outlast a restart; nil if it will.
  package func force(
    _ path: Name, _ force: PathHealth.Force, for lasting: Duration?, by user: UInt32, reason: String?
  ) async throws(LocalAPI.Refusal) -> StoreFailure? {
    guard forces.hasRoom(for: path) else {
      throw LocalAPI.Refusal("\(ForcedPaths.capacity) paths are forced already, which is the limit")
    }
    let time = surroundings.wallTime
    let until = lasting.map { WallTime(secondsSince1970: time.secondsSince1970 + $0.inSeconds) }
    let entry = ForcedPaths.Entry(force, since: time, until: until, user: user, reason: reason)
    forces.forced(path, entry, for: lasting, at: surroundings.now)
    tell(path, entry)
    await apply()
    return save()
  }

  /// Returns whether it was forced, and why a restart will force it again; nil if it will not.
  package func takeBack(_ path: Name, by user: UInt32, reason: String?) async -> (was: Bool, trouble: StoreFailure?) {
    guard let entry = forces.takenBack(path) else { return (false, nil) }
    var details = ["force": "auto", "was": entry.force.rawValue, "user": "\(user)"]
    details["reason"] = reason
    events.record(
      AgentEvent(
        .pathForced, path.text,
        "path \(path) is judged by its probes again, by user \(user)\(reason.map { ": \($0)" } ?? "")",
        details: details))
    await apply()
    return (true, save())
  }

  private func timePassed() async {
    alarm = nil
    let over = forces.timePassed(to: surroundings.now)
    for (path, _) in over { tellOver(path) }
    await apply()
    if !over.isEmpty { _ = save() }
  }

  private func apply() async {
    await watch.force(forces.entries.mapValues(\.force))
    alarm?.cancel()
    alarm = nil
    guard !isStopped, let deadline = forces.nextDeadline else { return }
    alarm = surroundings.alarm(after: max(.zero, deadline - surroundings.now)) { [bell] in bell.yield() }
  }

  private func save() -> StoreFailure? {
    do {
      try store.save(forces.entries)
      trouble = nil
      return nil
    } catch {
      trouble = error
      events.record(
        AgentEvent(.storeFailed, "forces", "paths are forced as ordered, but a restart will forget it: \(error)"))
      return error
    }
  }

  // MARK: - What is told

  private func tell(_ path: Name, _ entry: ForcedPaths.Entry) {
    var details = ["force": entry.force.rawValue, "user": "\(entry.user)"]
    details["until"] = entry.until?.text
    details["reason"] = entry.reason
    let end = entry.until.map { " until \($0.text)" } ?? ""
    events.record(
      AgentEvent(
        .pathForced, path.text,
        "path \(path) is forced \(entry.force.rawValue)\(end) by user "
          + "\(entry.user)\(entry.reason.map { ": \($0)" } ?? "")",
        details: details))
  }

  private func tellOver(_ path: Name) {
    events.record(
      AgentEvent(
        .pathForced, path.text, "path \(path) is judged by its probes again: the force has expired",
        details: ["force": "auto"]))
  }

  private func tellDamaged(_ failure: StoreFailure) {
    let what: String
    do {
      what = "set aside as \(try store.setAside())"
    } catch {
      what = "left where it is (\(error))"
    }
    events.record(
      AgentEvent(
        .storeFailed, "forces",
        "the list of forced paths cannot be read and is \(what); every path is judged by its probes: \(failure)"))
  }
}
