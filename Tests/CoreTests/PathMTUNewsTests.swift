import Core
import Testing

@Suite struct PathMTUNewsTests {
  private static let hub = IPv4Address(value: 0xcb00_7102)
  private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds) * 1_000_000) }

  @Test func newsIsLookedAtAtOnceAndWhatIsSaidOfEachPacketIsNoNews() {
    var news = PathMTUNews()
    #expect(news.heard(1400, to: Self.hub, at: at(5_000)) == at(5_000))
    for later in [5_000, 5_001, 8_000, 34_999] { #expect(news.heard(1400, to: Self.hub, at: at(later)) == nil) }
    #expect(news.heard(1400, to: Self.hub, at: at(35_000)) == at(35_000), "it may be news again")
  }

  @Test func anotherSizeAndAnotherAddressAreNews() {
    var news = PathMTUNews()
    #expect(news.heard(1400, to: Self.hub, at: at(0)) == at(0))
    #expect(news.heard(1380, to: Self.hub, at: at(3_000)) == at(3_000))
    #expect(news.heard(1380, to: IPv4Address(value: 1), at: at(6_000)) == at(6_000))
  }

  @Test func oneLookSeesAllThatIsSaidBeforeIt() {
    var news = PathMTUNews()
    #expect(news.heard(1400, to: Self.hub, at: at(0)) == at(0))
    #expect(news.heard(1380, to: Self.hub, at: at(400)) == at(1_000))
    #expect(news.heard(1360, to: Self.hub, at: at(900)) == nil, "a look is to come")
    #expect(news.heard(1340, to: Self.hub, at: at(1_000)) == at(2_000), "the look may have been before it")
  }

  @Test func aFloodOfLiesIsOneLookASecond() {
    var news = PathMTUNews()
    var looks: [Instant] = []
    for number in 0..<10_000 {
      if let look = news.heard(576, to: IPv4Address(value: UInt32(number)), at: at(number)) { looks.append(look) }
    }
    #expect(looks.count <= 11)
    #expect(zip(looks, looks.dropFirst()).allSatisfy { $1 - $0 >= .seconds(1) })
  }
}
