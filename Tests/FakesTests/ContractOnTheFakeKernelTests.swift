import Agent
import Core
import Fakes
import Glibc
internal import RuleSets
import Testing

@Suite("The kernel port's contract, on the fake kernel")
struct ContractOnTheFakeKernelTests {
  @Test("holds", arguments: KernelContract.allCases)
  func holds(_ promise: KernelContract) throws { try promise.check(on: FakeGround()) }
}

/// The real kernel at hand has IPv6, as nearly all have.
@Suite("A fake kernel without IPv6")
struct KernelWithoutIPv6Tests {
  @Test("says so, and refuses rules of it")
  func refusesRules() throws {
    let kernel = FakeKernel()
    let lan = try #require(InterfaceName("lan0"))
    let rule = RoutingRule(.ipv6, priority: RulePriority(9290), incoming: lan, action: .prohibit)
    #expect(try kernel.read { _ in nil }.hasIPv6Rules)
    try kernel.change("ipv6.disable=1") { $0.loseIPv6() }
    #expect(try !kernel.read { _ in nil }.hasIPv6Rules)
    do throws(KernelFailure) { try kernel.apply(.addRule(rule)) } catch {
      return #expect(error.errno == EAFNOSUPPORT)
    }
    Issue.record("it takes a rule of IPv6")
  }
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
