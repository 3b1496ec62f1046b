internal import Agent
internal import Core
internal import Synchronization
internal import System

/// The socket that questions and orders come by. If it cannot be created (a full or read-only /run, a directory in its
/// place), the agent steers without it, says so, and tries again.
final class AgentSocket: Sendable {
  private struct State {
    var server: LocalServer?
    var trouble: String?
  }

  private let api: LocalAPI
  private let path: String
  private let events: any EventSink
  private let state = Mutex(State())

  /// Throws if another living program has it.
  init(_ api: LocalAPI, at path: String, telling events: any EventSink) throws(SystemCallFailure) {
    self.api = api
    self.path = path
    self.events = events
    do throws(SystemCallFailure) { try open() } catch {
      if error.isTaken { throw error }
      failed(error)
    }
  }

  func openAtLast() {
    guard state.withLock({ $0.server == nil }) else { return }
    do throws(SystemCallFailure) { try open() } catch { failed(error) }
  }

  func stop() { state.withLock { $0.server?.stop() } }

  private func open() throws(SystemCallFailure) {
    let server = try LocalServer(at: path) { [api] request, peer in await api.answer(request, from: peer.user) }
    state.withLock { $0 = State(server: server) }
  }

  private func failed(_ failure: SystemCallFailure) {
    let isNew = state.withLock { state in
      defer { state.trouble = "\(failure)" }
      return state.trouble != "\(failure)"
    }
    guard isNew else { return }
    events.record(
      AgentEvent(
        .storeFailed, "socket",
        "nobody can ask the agent, which steers all the same: \(failure); will try "
          + "again")
    )
  }
}
