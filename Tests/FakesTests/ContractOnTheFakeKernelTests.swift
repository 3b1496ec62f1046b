import Fakes
import Testing

@Suite("The kernel port's contract, on the fake kernel")
struct ContractOnTheFakeKernelTests {
  @Test("holds", arguments: KernelContract.allCases)
  func holds(_ promise: KernelContract) throws { try promise.check(on: FakeGround()) }
}

@Suite("The contract of tunnels, on the fake kernel")
struct TunnelContractOnTheFakeKernelTests {
  @Test("holds", arguments: TunnelContract.allCases)
  func holds(_ promise: TunnelContract) throws { try promise.check(on: FakeGround()) }
}
