import Fakes
import Testing

@Suite struct MetricsContractOnTheFakeTests {
  @Test(arguments: MetricsContract.allCases)
  func keeps(_ promise: MetricsContract) async throws { try await promise.check(on: FakeMetricsGround()) }
}
