internal import RuleSets
import Testing

@testable import Core

@Suite struct DesiredSizesTests {
  @Test func onAnUnderlayOf1500() {
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.gre(hasKey: false)]).mtu == 1476)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.gre(hasKey: false)]).mss == 1436)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.gre(hasKey: true)]).mtu == 1472)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.ipip]).mtu == 1480)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.ipip]).mss == 1440)
  }

  @Test func nestedLayersAddUp() {
    #expect(TunnelSizes(underlayMTU: 1492, layers: [.gre(hasKey: true), .ipip]).mtu == 1492 - 28 - 20)
  }

  @Test func theOperatorsMTUWinsWithinTheBounds() {
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.ipip], operatorMTU: 1400).mss == 1360)
    #expect(TunnelSizes(underlayMTU: 400, layers: [.ipip]).mtu == 576)
    #expect(TunnelSizes(underlayMTU: 400, layers: [.ipip]).mss == 536)
    #expect(TunnelSizes(underlayMTU: 90_000, layers: []).mtu == 65_535)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [], operatorMTU: -5).mtu == 576)
  }
}

@Suite struct DesiredAddressRangesTests {
  @Test func prefixesThatNestOrTouchBecomeOneRange() {
    let merged = AddressRanges.merged(["10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25", "192.168.0.0/16", "10.0.3.0/24"])
    #expect(AddressRanges.text(merged) == "10.0.0.0/23, 10.0.3.0/24, 192.168.0.0/16")
  }

  @Test func theEndOfTheAddressSpaceIsNoTrap() {
    #expect(AddressRanges.merged([.all, "255.255.255.255/32", "128.0.0.0/1"]) == [0...UInt32.max])
    #expect(AddressRanges.merged(["255.255.255.255/32", "255.255.255.254/32"]) == [0xffff_fffe...UInt32.max])
  }

  @Test func nothingStaysNothing() { #expect(AddressRanges.merged([IPv4Prefix]()).isEmpty) }

  @Test func writesPrefixesAddressesAndRangesAsNftDoes() {
    #expect(AddressRanges.text([0...UInt32.max]) == "0.0.0.0/0")
    let odd: [IPv4Prefix] = ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.9/32"]
    #expect(AddressRanges.text(AddressRanges.merged(odd)) == "10.0.0.1-10.0.0.2, 10.0.0.9")
  }

  @Test func findsAddresses() {
    let ranges = AddressRanges.merged(["10.0.0.0/24", "10.0.2.0/24", "172.16.0.0/12"])
    for inside: IPv4Address in ["10.0.0.0", "10.0.0.255", "10.0.2.7", "172.31.255.255"] {
      #expect(AddressRanges.contain(inside, ranges))
    }
    for outside: IPv4Address in ["9.255.255.255", "10.0.1.0", "10.0.3.0", "172.32.0.0", "255.255.255.255"] {
      #expect(!AddressRanges.contain(outside, ranges))
    }
    #expect(!AddressRanges.contain("10.0.0.0", []))
  }
}
