internal import Agent
internal import Core
internal import Synchronization
internal import System

/// Keeps the text of the local configuration in the state directory, for a guard that finds agent.toml damaged. The agent
/// steers without, and tries again until the disk takes it.
final class KeptConfiguration: Sendable {
  private let text: [UInt8]
  private let directory: String
  private let failure = Mutex<String?>(nil)

  /// - Parameter text: of the configuration's file.
  init(_ text: [UInt8], in stateDirectory: String) {
    self.text = text
    directory = stateDirectory
    keep()
  }

  /// Why it is not saved; nil if it is.
  var trouble: String? { failure.withLock { $0 } }

  func keepAtLast() { if trouble != nil { keep() } }

  private func keep() {
    let failure: String?
    do {
      try Directory.make(directory, mode: 0o700)
      try ConfigurationCopy(directory: directory).save(text)
      failure = nil
    } catch {
      failure = "\(error)"
    }
    self.failure.withLock { $0 = failure }
  }
}
