package import Agent
package import Core
package import RuleSets
internal import VICI

/// What is ours in charon, looked at and ended without an agent. Private keys that charon was given stay in its memory
/// until it restarts: it has no names for them by which ours could be told from other clients'.
package struct CharonTeardown: ~Copyable {
  private var session: VICISession

  /// Nil if no charon answers: then it holds nothing.
  package static func open(_ configuration: IPsecConfiguration) throws(CharonFailure) -> CharonTeardown? {
    do throws(VICIFailure) {
      return CharonTeardown(
        session: try VICISession.open(socketPath: configuration.viciSocket, timeout: LinuxCharon.patience))
    } catch {
      if error.isGone { return nil }
      throw CharonFailure(operation: "connect to charon", error)
    }
  }

  private init(session: consuming VICISession) { self.session = session }

  /// The tunnels whose connections are there.
  package mutating func tunnels() throws(CharonFailure) -> [Name] {
    do throws(VICIFailure) {
      return try session.request("get-conns", timeout: LinuxCharon.patience).list("conns")
        .compactMap { IKEConnection.tunnel(ofConnection: $0) }.sorted()
    } catch {
      throw CharonFailure(operation: "get-conns", error)
    }
  }

  /// Ends the SAs, telling the hub, and forgets connection and pre-shared key.
  package mutating func end(_ tunnel: Name) throws(CharonFailure) {
    for (command, message) in CharonMessages.unloading(tunnel) {
      do throws(VICIFailure) { _ = try session.request(command, message, timeout: LinuxCharon.patience) } catch {
        // A refusal means that it is gone already.
        if error.breaksSession { throw CharonFailure(operation: command, error) }
      }
    }
  }
}
