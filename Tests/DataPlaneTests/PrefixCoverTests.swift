internal import RuleSets
import SeededRandom
import Testing

@testable import Core

@Suite struct PrefixCoverTests {
  private func prefixes(_ count: Int, _ random: inout SeededRandom) -> [IPv4Prefix] {
    (0..<count).compactMap { _ in
      let length = UInt8.random(in: 1...32, using: &random)
      // Some close together, some far apart.
      let bits = UInt32.random(in: 0...UInt32.max, using: &random) >> UInt32.random(in: 0...24, using: &random)
      return IPv4Prefix(containing: IPv4Address(value: 0x0a00_0000 ^ bits), length: length)
    }
  }

  @Test(arguments: 0..<200) func holdsEveryAddressInFewEnoughPrefixes(_ number: UInt64) {
    var random = SeededRandom(seed: 20_261_130 &+ number)
    let prefixes = prefixes(Int.random(in: 1...300, using: &random), &random)
    let limit = Int.random(in: 1...100, using: &random)
    let cover = PrefixCover.cover(prefixes, limit: limit)
    #expect((1...limit).contains(cover.count))
    #expect(prefixes.allSatisfy { prefix in cover.contains { $0.contains(prefix) } })
    #expect(cover == cover.sorted())
    #expect(zip(cover, cover.dropFirst()).allSatisfy { !$0.overlaps($1) })
  }

  @Test func fewAreLeftAsTheyAre() {
    let two: [IPv4Prefix] = ["192.168.20.0/24", "192.168.10.0/24"]
    #expect(PrefixCover.cover(two, limit: 2) == ["192.168.10.0/24", "192.168.20.0/24"])
    #expect(PrefixCover.cover(two + ["192.168.10.128/25"], limit: 2).count == 2, "one in another is none")
    #expect(PrefixCover.cover([], limit: 3).isEmpty)
    #expect(PrefixCover.cover([.all], limit: 1) == [.all])
  }

  @Test func neighboursAreTakenTogetherBeforeStrangers() {
    #expect(
      PrefixCover.cover(["10.0.0.0/24", "10.0.1.0/24", "172.16.0.0/12"], limit: 2) == ["10.0.0.0/23", "172.16.0.0/12"])
    #expect(PrefixCover.cover(["10.0.0.0/24", "10.0.1.0/24", "172.16.0.0/12"], limit: 1) == [.all])
  }

  @Test func shortListsAreLeftWhole() {
    #expect(PrefixCover.shares(of: 64, among: [1, 5_000, 2]) == [1, 61, 2])
    #expect(PrefixCover.shares(of: 64, among: [5_000, 5_000]) == [32, 32])
    #expect(PrefixCover.shares(of: 2, among: [9, 9, 9]) == [1, 1, 1], "none goes without")
    #expect(PrefixCover.shares(of: 64, among: []).isEmpty)
  }

  @Test(arguments: 0..<100) func sharesAddUp(_ number: UInt64) {
    var random = SeededRandom(seed: 20_261_131 &+ number)
    let counts = (0..<Int.random(in: 1...64, using: &random)).map { _ in Int.random(in: 1...200, using: &random) }
    let shares = PrefixCover.shares(of: 64, among: counts)
    #expect(shares.reduce(0, +) <= 64)
    #expect(shares.reduce(0, +) == min(64, counts.reduce(0, +)))
    #expect(zip(shares, counts).allSatisfy { (1...$1).contains($0) })
  }
}
