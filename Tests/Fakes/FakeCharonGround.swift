package import Agent
package import Core
package import RuleSets

/// The fake, for the contract.
package struct FakeCharonGround: CharonGround {
  private let fake: FakeCharon

  package init() async {
    fake = FakeCharon()
    await fake.setEveryHub(.silent)
  }

  package var charon: any CharonPort { fake }

  package func credentials(_ kind: CharonSecret) async throws -> IKEConnection.Credentials {
    let file = "/secrets/\(kind)"
    switch kind {
    case .psk, .certificate: break
    case .missingPSK, .missingCertificate: await fake.spoil(file, "No such file or directory")
    case .emptyPSK: await fake.spoil(file, "it is empty: no pre-shared key")
    case .openPSK, .openKey: await fake.spoil(file, "group or others have access to it: chmod 600")
    case .brokenCertificate: await fake.spoil(file, "charon refused: invalid value for: certs, config discarded")
    case .brokenKey: await fake.spoil(file, "charon refused: parsing any private key failed")
    }
    switch kind {
    case .psk, .missingPSK, .emptyPSK, .openPSK: return .psk(file: file)
    case .certificate, .missingCertificate, .brokenCertificate, .brokenKey, .openKey:
      return .certificate(file: "/secrets/good", key: file, authority: "/secrets/authority")
    }
  }

  package func lackedProposal() async throws -> Proposal {
    await fake.lack("ke1_mlkem768")
    return try Proposal.parse("aes256gcm16-prfsha384-x25519-ke1_mlkem768", for: .ike)
  }

  package func addForeign(_ name: String) async throws {
    await fake.addForeignConnection(name, try await connection("foreign"))
  }

  package func foreign(_ name: String) async throws -> String? {
    await fake.connection(named: name).map { "\($0)" }
  }

  package func takeConnection(of tunnel: Name) async throws { await fake.forgetConnection(of: tunnel) }
  package func takeSecrets(of tunnel: Name) async throws { await fake.forgetSecrets(of: tunnel) }
  package func end() async throws { await fake.end() }
  package func start() async throws { await fake.start() }
}
