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

@Suite("The journal store's contract, on the fake disk")
struct JournalContractOnTheFakeDiskTests {
  @Test("holds", arguments: JournalContract.allCases)
  func holds(_ promise: JournalContract) async throws { try await promise.check(on: FakeJournalGround()) }
}
