import Core
internal import RuleSets
import Testing

@Suite struct PathMTUNewsTests {
  private static let hub = IPv4Address(value: 0xcb00_7102)
  private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds) * 1_000_000) }

  @Test func newsIsLookedAtAtOnceAndWhatIsSaidOfEachPacketIsNoNews() {
    var news = PathMTUNews()
    #expect(news.heard(1400, to: Self.hub, at: at(5_000)) == [at(5_000), at(8_000)], "and once more")
    for later in [5_000, 5_001, 8_000, 34_999] { #expect(news.heard(1400, to: Self.hub, at: at(later)).isEmpty) }
    #expect(news.heard(1400, to: Self.hub, at: at(35_000)).first == at(35_000), "it may be news again")
  }

  @Test func anotherSizeAndAnotherAddressAreNews() {
    var news = PathMTUNews()
    #expect(news.heard(1400, to: Self.hub, at: at(0)).first == at(0))
    #expect(news.heard(1380, to: Self.hub, at: at(3_000)).first == at(3_000))
    #expect(news.heard(1380, to: IPv4Address(value: 1), at: at(6_000)).first == at(6_000))
  }

  @Test func oneLookSeesAllThatIsSaidBeforeIt() {
    var news = PathMTUNews()
    #expect(news.heard(1400, to: Self.hub, at: at(0)).first == at(0))
    #expect(news.heard(1380, to: Self.hub, at: at(400)) == [at(1_000)], "the second look is to come anyway")
    #expect(news.heard(1360, to: Self.hub, at: at(900)).isEmpty, "a look is to come")
    #expect(news.heard(1340, to: Self.hub, at: at(1_000)).first == at(2_000), "the look may have been before it")
  }

  @Test func aFloodOfLiesIsLittleMoreThanALookASecond() {
    var news = PathMTUNews()
    var looks: [Instant] = []
    for number in 0..<10_000 {
      looks += news.heard(576, to: IPv4Address(value: UInt32(number)), at: at(number))
    }
    // Ten, and a second one for one path in three.
    #expect(looks.count <= 15)
  }
}
