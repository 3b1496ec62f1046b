internal import RuleSets
import Testing

@testable import Core

/// Which devices are ours: by evidence that no one produces by accident, even with any one piece lost.
@Suite struct OwnershipTests {
  private let ranges = KernelRanges()

  private func gre(mark: UInt32 = 0x1200_0000, ttl: UInt8 = 64) -> TunnelParameters {
    TunnelParameters(
      encapsulation: .gre(key: nil), local: "192.0.2.2", remote: "203.0.113.2", underlay: "wan0",
      lookupMark: Mark(value: mark), ttl: ttl)
  }

  private func xfrm(_ number: UInt32 = 0x0120_0000) -> TunnelParameters {
    TunnelParameters(xfrm: number, underlay: "wan0")
  }

  private let alias = "backhaul tunnel fra-a"

  @Test func oursAsWeMakeThem() {
    #expect(gre().areOurs("bh-fra-a", alias: alias, in: ranges))
    #expect(xfrm().areOurs("bh-fra-a", alias: alias, in: ranges))
  }

  @Test func oursWithOnePieceLost() {
    for parameters in [gre(), xfrm()] {
      #expect(parameters.areOurs("bh-fra-a", alias: nil, in: ranges), "killed before the alias was there")
      #expect(parameters.areOurs("bh-fra-a", alias: "the office", in: ranges))
      #expect(parameters.areOurs("renamed0", alias: alias, in: ranges))
    }
    #expect(gre(ttl: 7).areOurs("bh-fra-a", alias: alias, in: ranges))
    #expect(gre(mark: 0).areOurs("bh-fra-a", alias: alias, in: ranges))
  }

  @Test func oursOfAnOlderConfiguration() {
    var other = KernelRanges()
    other.interfacePrefix = "tun-"
    #expect(gre().areOurs("bh-fra-a", alias: alias, in: other), "it had another prefix")
    other = KernelRanges(markMask: MarkMask(bits: 0x0ff0_0000))
    for parameters in [gre(), xfrm()] {
      #expect(parameters.areOurs("bh-fra-a", alias: alias, in: other), "it had other bits")
    }
  }

  @Test func othersWhateverTheyAreCalled() {
    for name: InterfaceName in ["gre7", "bh-fra-a"] {
      #expect(!gre(mark: 0, ttl: 0).areOurs(name, alias: alias, in: ranges))
      #expect(!gre(mark: 0).areOurs(name, alias: nil, in: ranges))
      #expect(!gre(mark: 0x2a, ttl: 0).areOurs(name, alias: alias, in: ranges))
    }
    #expect(!gre(mark: 0).areOurs("gre7", alias: alias, in: ranges))
    #expect(!xfrm(42).areOurs("ipsec0", alias: alias, in: ranges))
    for number: UInt32 in [1, 42, 0x0120_0001, 0x1200_0000] {
      #expect(!xfrm(number).areOurs("bh-else", alias: nil, in: ranges), "of no slot of this mask")
    }
    #expect(!gre().areOurs("gre7", alias: nil, in: ranges))
  }
}
