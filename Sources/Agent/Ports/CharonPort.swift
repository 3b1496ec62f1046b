package import Core
package import RuleSets

/// strongSwan's charon: the daemon that does IKE. Never called from the event loop of the probes.
///
/// Contract: every call ends within a few seconds, whatever charon does. Only what is ours by its name
/// (`IKEConnection`) is reported or changed. A step whose effect is there already succeeds. After a failure that says
/// `isGone` nothing works until the next `connect`.
package protocol CharonPort: Sendable {
  /// Connects, replacing any earlier connection, and from now on calls `handler` for what happens, on a thread of its
  /// own. Throws if nobody answers.
  func connect(_ handler: @escaping @Sendable (CharonEvent) -> Void) async throws(CharonFailure) -> CharonIdentity
  func apply(_ step: IKEStep) async throws(CharonFailure)
  /// What charon holds of ours. Must be cheap: it is called every second.
  func holdings() async throws(CharonFailure) -> CharonHoldings
  /// What charon has of one tunnel, or (nil) of all that have anything.
  func associations(of tunnel: Name?) async throws(CharonFailure) -> [Name: TunnelAssociations]
}

/// Who answers.
package struct CharonIdentity: Equatable, Sendable {
  /// `charon-systemd 5.9.8`.
  package var version: String
  /// Which of its settings contradict what the agent needs, in words.
  package var complaints: [String]

  package init(version: String, complaints: [String] = []) {
    self.version = version
    self.complaints = complaints
  }
}

/// The tunnels that charon knows. Other clients of its (`swanctl --load-all`) take away whatever they don't know.
package struct CharonHoldings: Equatable, Sendable {
  /// There is a connection of ours.
  package var connections: Set<Name>
  /// There is one, but not the pre-shared key or private key that was given with it.
  package var withoutCredentials: Set<Name>

  package init(connections: Set<Name> = [], withoutCredentials: Set<Name> = []) {
    self.connections = connections
    self.withoutCredentials = withoutCredentials
  }
}

/// Something that charon told without being asked. A hint: what is so must be asked.
package enum CharonEvent: Equatable, Sendable {
  /// An SA of the tunnel came, went, or was replaced.
  case changed(Name)
  /// A negotiation of the tunnel failed, or seems to.
  case trouble(Name, IKETrouble)
  /// charon closed the connection, or broke the protocol.
  case gone(String)
}

/// A call to charon that failed. No text in it ever holds a secret.
package struct CharonFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was asked: `load-conn backhaul-fra-a`.
  package var operation: String
  package var cause: String
  /// Nobody answers any more: connect again.
  package var isGone: Bool

  package init(operation: String, cause: String, isGone: Bool) {
    self.operation = operation
    self.cause = cause
    self.isGone = isGone
  }

  package var description: String { "\(operation): \(cause)" }
}
