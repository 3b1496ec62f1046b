internal import RuleSets
import Testing

@testable import Core

@Suite struct IPv4PrefixTests {
  @Test func parsesAndPrints() throws {
    #expect(IPv4Prefix("10.1.2.0/24")?.description == "10.1.2.0/24")
    #expect(IPv4Prefix("10.1.2.3/24") == nil, "host bits set")
    #expect(IPv4Prefix("10.1.2.0/33") == nil)
    #expect(IPv4Prefix("0.0.0.0/0")?.range == 0...UInt32.max)
  }
}
