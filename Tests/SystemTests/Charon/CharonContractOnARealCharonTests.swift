import Fakes
import Testing

@Suite("The charon port's contract, on a real charon", .serialized)
struct CharonContractOnARealCharonTests {
  @Test("holds", .timeLimit(.minutes(5)), arguments: CharonContract.allCases)
  func holds(_ promise: CharonContract) async throws {
    try await RealCharonGround.with { try await promise.check(on: $0) }
  }
}
