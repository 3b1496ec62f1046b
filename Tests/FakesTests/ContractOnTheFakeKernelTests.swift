import Fakes
import Testing

@Suite("The kernel port's contract, on the fake kernel")
struct ContractOnTheFakeKernelTests {
  @Test("holds", arguments: KernelContract.allCases)
  func holds(_ promise: KernelContract) throws { try promise.check(on: FakeGround()) }
}
