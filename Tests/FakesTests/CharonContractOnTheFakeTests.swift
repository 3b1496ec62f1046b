import Fakes
import Testing

@Suite("The charon port's contract, on the fake charon")
struct CharonContractOnTheFakeTests {
  @Test("holds", .timeLimit(.minutes(5)), arguments: CharonContract.allCases)
  func holds(_ promise: CharonContract) async throws { try await promise.check(on: await FakeCharonGround()) }
}
