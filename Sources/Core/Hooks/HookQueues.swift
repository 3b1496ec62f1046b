/// Which hook is told of what next. Each runs once at a time, and has a queue of its own, of which the oldest is dropped
/// where it is full: a hook that hangs holds up no other, and hears in the end of what is so now.
///
///     idle ──came──▶ running ──came──▶ running, some wait ──ended──▶ running …
///      ▲                └──────ended, none waits─────┘
package struct HookQueues: Equatable, Sendable {
  /// An outage of everything tells of some dozen things.
  package static let capacity = 64

  private var waiting: [String: [HookCall]] = [:]
  private var running: Set<String> = []
  /// Of each hook, since its queue was last empty.
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
