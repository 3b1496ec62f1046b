package import Agent
package import Core
package import RuleSets
import Synchronization

/// A fresh charon to try the contract on, and things that an operator does beside us.
package protocol CharonGround: Sendable {
  var charon: any CharonPort { get }
  /// Makes the files that a connection names, as requested.
  func credentials(_ kind: CharonSecret) async throws -> IKEConnection.Credentials
  /// What this charon does not offer.
  func lackedProposal() async throws -> Proposal

  /// A connection that another client of charon's loads.
  func addForeign(_ name: String) async throws
  /// What charon has under that name, as text; nil: nothing.
  func foreign(_ name: String) async throws -> String?
  /// Another client removes it.
  func takeConnection(of tunnel: Name) async throws
  func takeSecrets(of tunnel: Name) async throws

  /// charon ends; returns once it has.
  func end() async throws
  /// It starts again; returns once it answers.
  func start() async throws
}

/// What may be wrong with the files of a connection. Every file holds `marker`, which nobody may ever read elsewhere.
package enum CharonSecret: String, CaseIterable, Sendable, CustomStringConvertible {
  case psk, missingPSK, emptyPSK, openPSK
  case certificate, missingCertificate, brokenCertificate, brokenKey, openKey

  package var description: String { rawValue }

  package var isGood: Bool { self == .psk || self == .certificate }

  package static let marker = "tr0ub4dor"
}

/// charon's unsolicited events.
package final class CharonEvents: Sendable {
  private let events: AsyncStream<CharonEvent>
  private let inbox: AsyncStream<CharonEvent>.Continuation

  package init() { (events, inbox) = AsyncStream.makeStream(of: CharonEvent.self) }

  package var handler: @Sendable (CharonEvent) -> Void { { [inbox] in inbox.yield($0) } }

  /// Waits for the end of the connection.
  package func end() async -> String? {
    for await event in events { if case .gone(let why) = event { return why } }
    return nil
  }
}

extension CharonGround {
  func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    if !condition { throw ContractBreach(what()) }
  }

  func expect<T: Equatable>(_ actual: T, is expected: T, _ what: String) throws {
    if actual != expected { throw ContractBreach("\(what): \(actual), not \(expected)") }
  }

  /// The call must fail without revealing a secret; returns its text.
  @discardableResult
  func refusal(of step: IKEStep, isGone: Bool = false) async throws -> CharonFailure {
    do throws(CharonFailure) { try await charon.apply(step) } catch {
      try expect(error.isGone, is: isGone, "isGone of \(error)")
      for text in ["\(error)", String(reflecting: error), error.operation, error.cause] {
        try expect(!text.contains(CharonSecret.marker), "a secret is told: \(text)")
      }
      return error
    }
    throw ContractBreach("\(step) succeeded, a refusal was expected")
  }

  func connection(_ name: String = "fra-a", _ kind: CharonSecret = .psk) async throws -> IKEConnection {
    IKEConnection(
      tunnel: try Sample.tunnel(name), mode: .tunnel(interfaceID: 0x0120_0000), local: try Sample.address("192.0.2.2"),
      remote: try Sample.address("203.0.113.2"), localID: try Sample.identity("branch-017"),
      remoteID: try Sample.identity("hub.example"), credentials: try await credentials(kind))
  }
}

extension Sample {
  static func tunnel(_ text: String) throws -> Name {
    guard let name = Name(text) else { throw ContractBreach("the sample \(text) is wrong") }
    return name
  }

  static func identity(_ text: String) throws -> IKEIdentity {
    guard let identity = IKEIdentity(text) else { throw ContractBreach("the sample \(text) is wrong") }
    return identity
  }
}
