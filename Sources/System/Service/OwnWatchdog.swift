package import Agent
internal import Core
internal import Glibc
internal import Synchronization

/// For a service manager that restarts the agent when it exits, but does not notice when it hangs (OpenWrt's procd): a
/// thread that ends the process if it has had no sign of life from the agent for `watchdog`.
///
/// It counts its own turns instead of time, so that a suspended machine does not look like a hanging agent.
package final class OwnWatchdog: ServiceManagerPort {
  package let watchdog: Duration?
  private let turns = Atomic<Int>(0)
  private let why = Mutex("")
  /// How many turns may pass in silence.
  private let most: Int

  /// - Parameters:
  ///   - limit: whole seconds.
  ///   - turn: a second; less for tests.
  ///   - end: ends the process, and gets the last status.
  package init(
    limit: Duration, turn: Duration = .seconds(1), end: @escaping @Sendable (String) -> Void = endProcess
  ) throws(SystemCallFailure) {
    watchdog = limit
    most = Int(limit.components.seconds)
    let pause = UInt32(turn.components.seconds * 1_000_000 + turn.components.attoseconds / 1_000_000_000_000)
    try SystemThread.start(name: "watchdog") { [weak self] in
      while true {
        usleep(pause)
        guard let self else { return }
        if let why = self.turn() { return end(why) }
      }
    }
  }

  /// Counts one more turn. Returns the last status if this turn was one too many, otherwise nil.
  package func turn() -> String? {
    turns.add(1, ordering: .relaxed).newValue > most ? why.withLock { $0 } : nil
  }

  /// Always true. `alive` restarts the count, `stopping` ends it, and a status is kept for the final message.
  package func tell(_ words: [ServiceWord]) -> Bool {
    for word in words {
      switch word {
      case .alive: turns.store(0, ordering: .relaxed)
      // The agent is stopping in order and will say nothing more.
      case .stopping: turns.store(.min, ordering: .relaxed)
      case .status(let line): why.withLock { $0 = line }
      case .ready: break
      }
    }
    return true
  }

  /// Exits without asking the other threads, since one of them hangs.
  package static func endProcess(_ why: String) {
    let line = "backhaul: the agent has stalled and is ending itself: \(why)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    _exit(70)
  }
}
