import Fakes
import KernelGrounds
import Testing

@Suite("The kernel port's contract, on the real kernel")
struct ContractOnTheRealKernelTests {
  @Test("holds", arguments: KernelContract.allCases)
  func holds(_ promise: KernelContract) throws {
    try RealGround.with { try promise.check(on: $0) }
  }
}
