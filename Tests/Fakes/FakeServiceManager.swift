package import Agent
internal import Synchronization

/// A service manager in memory, which may refuse messages.
package final class FakeServiceManager: ServiceManagerPort {
  package let watchdog: Duration?
  private let state = Mutex<(words: [ServiceWord], isFull: Bool)>(([], false))

  package init(watchdog: Duration?) { self.watchdog = watchdog }

  /// All messages that it has accepted, in order.
  package var words: [ServiceWord] { state.withLock { $0.words } }
  package var isReady: Bool { words.contains(.ready) }
  package var status: String? {
    for case .status(let line) in words.reversed() { return line }
    return nil
  }
  package var isFull: Bool {
    get { state.withLock { $0.isFull } }
    set { state.withLock { $0.isFull = newValue } }
  }

  package func tell(_ words: [ServiceWord]) -> Bool {
    state.withLock { state in
      guard !state.isFull else { return false }
      state.words += words
      return true
    }
  }
}
