import Fakes
import Testing

@Suite struct ForceContractOnTheFakeTests {
  @Test(arguments: ForceContract.allCases)
  func keeps(_ promise: ForceContract) throws { try promise.check(on: FakeForceGround()) }
}
