/// Which hook gets which event next. Each runs once at a time and has its own queue, which drops the oldest when it is
/// full: a hook that hangs holds up no other, and in the end gets the latest events.
///
///     idle ──came──▶ running ──came──▶ running, some wait ──ended──▶ running …
///      ▲                └──────ended, none waits─────┘
package struct HookQueues: Equatable, Sendable {
  /// A total outage causes a few dozen events.
  package static let capacity = 64

  private var waiting: [String: [HookCall]] = [:]
  private var running: Set<String> = []
  /// For each hook, since its queue was last empty.
  private var dropped: [String: Int] = [:]
  /// Since the start.
  package private(set) var droppedInAll = 0

  package init() {}

  package var isIdle: Bool { running.isEmpty }

  /// Returns what the hook is to be run with now; nil: it runs, and the call waits.
  package mutating func came(_ call: HookCall, for hook: String) -> HookCall? {
    if running.insert(hook).inserted { return call }
    var calls = waiting[hook] ?? []
    if calls.count >= Self.capacity {
      calls.removeFirst()
      dropped[hook, default: 0] += 1
      droppedInAll += 1
    }
    calls.append(call)
    waiting[hook] = calls
    return nil
  }

  /// Returns what the hook is to be run with next, and, where nothing waits any more, how many calls it missed.
  package mutating func ended(_ hook: String) -> (next: HookCall?, missed: Int) {
    if var calls = waiting[hook], !calls.isEmpty {
      let next = calls.removeFirst()
      waiting[hook] = calls.isEmpty ? nil : calls
      return (next, 0)
    }
    running.remove(hook)
    return (nil, dropped.removeValue(forKey: hook) ?? 0)
  }
}
