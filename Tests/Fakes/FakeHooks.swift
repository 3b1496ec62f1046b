package import Agent
internal import Synchronization

/// A folder of hooks that a test fills, and a record of the runs. It refuses what Linux refuses, and keeps as much
/// output as the agent does.
package final class FakeHooks: HookPort {
  package struct Run: Equatable, Sendable {
    package var hook: String
    package var event: String
  }

  private struct State {
    var programs: [String: HookProgram] = [:]
    var refused: [String: String] = [:]
    var outcomes: [String: HookOutcome] = [:]
    var begun: [Run] = []
    var held: [String: [CheckedContinuation<Void, Never>]] = [:]
    var isHeld: Set<String> = []
    var running: [String: Int] = [:]
    var mostAtOnce: [String: Int] = [:]
  }
  private let state = Mutex(State())

  package init(_ hooks: [String]) { for hook in hooks { put(hook, .exits(0)) } }

  package var begun: [Run] { state.withLock { $0.begun } }
  /// The largest number of simultaneous runs of one hook.
  package var mostAtOnce: Int { state.withLock { $0.mostAtOnce.values.max() ?? 0 } }

  package func put(_ hook: String, _ program: HookProgram, _ flaw: HookFlaw? = nil) {
    state.withLock { state in
      state.programs[hook] = program
      state.refused[hook] =
        switch flaw {
        case nil: nil
        case .belongsToAnother: "it belongs to user 12345, not to root"
        case .canBeWritten: "it can be written by others besides root"
        case .isNotExecutable: "it is not executable"
        case .isALink: "it is a symbolic link; the program itself belongs here"
        }
    }
  }
  package func refuse(_ hook: String, _ why: String) { state.withLock { $0.refused[hook] = why } }
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

  package func hooks() -> HookListing {
    state.withLock { state in
      let hooks = state.programs.keys.filter { Self.isHook($0) && state.refused[$0] == nil }
      return HookListing(hooks: hooks.sorted(), refused: state.refused)
    }
  }

  private static func isHook(_ name: String) -> Bool {
    name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
  }

  package func run(_ hook: String, environment: [String], limit: Duration) async -> HookOutcome {
    let event = environment.first { $0.hasPrefix("BACKHAUL_EVENT=") }.map { String($0.dropFirst(15)) } ?? ""
    guard let program = state.withLock({ $0.programs[hook] }) else {
      return HookOutcome(.notStarted("No such file or directory"))
    }
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
      return state.outcomes[hook] ?? Self.outcome(program, environment)
    }
  }

  private static func outcome(_ program: HookProgram, _ environment: [String]) -> HookOutcome {
    switch program {
    case .exits(let status, let lines): HookOutcome(.exited(status), output: lines.prefix(10).map(kept))
    case .dies(let signal): HookOutcome(.killed(signal: signal))
    case .hangs: HookOutcome(.overTime)
    case .printsItsEnvironment: HookOutcome(.exited(0), output: environment.sorted())
    }
  }

  private static func kept(_ line: String) -> String {
    String(line.map { $0.isASCII && ($0.asciiValue ?? 0) < 0x20 ? " " : $0 }.prefix(200))
  }
}
