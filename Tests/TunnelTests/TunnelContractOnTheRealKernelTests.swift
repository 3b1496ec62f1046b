import Fakes
import KernelGrounds
import Testing

/// Needs a kernel that has GRE, IPIP and XFRM interfaces: on one that lacks them it fails, and is never skipped.
@Suite("The contract of tunnels, on the real kernel")
struct TunnelContractOnTheRealKernelTests {
  @Test("holds", arguments: TunnelContract.allCases)
  func holds(_ promise: TunnelContract) throws {
    try RealGround.with { try promise.check(on: $0) }
  }
}
