import Core
import Testing

@Suite struct PathSizeSearchTests {
  /// The size found when packets up to `limit` get through, except those with the numbers in `lost`, and how many were
  /// sent.
  private func found(mtu: Int, limit: Int, lost: Set<Int> = []) -> (largest: Int?, sent: Int) {
    var search = PathSizeSearch(mtu: mtu)
    var sent = 0
    while true {
      let sizes = search.nextRound()
      if sizes.isEmpty { return (search.largest, sent) }
      for size in sizes {
        if size <= limit && !lost.contains(sent) { search.answered(size) }
        sent += 1
      }
    }
  }

  @Test func theLargestIsFoundToTheByteWithFewPackets() {
    for mtu in [1476, 1500, 1280, 9000] {
      for limit in Set(84...1500).union(stride(from: 1500, through: 9000, by: 111)) where limit <= mtu {
        let (largest, sent) = found(mtu: mtu, limit: limit)
        if largest != limit || sent > 80 { Issue.record("MTU \(mtu), limit \(limit): \(largest ?? 0), \(sent) sent") }
      }
    }
  }

  @Test func onePacketThatIsLostByChanceChangesNothing() {
    for limit in [1376, 1380, 1379, 1381, 1456, 600, 1476] {
      for lost in 0..<60 { #expect(found(mtu: 1476, limit: limit, lost: [lost]).largest == limit, "without \(lost)") }
    }
  }

  @Test func whereAllComesThroughOneRoundIsEnough() {
    #expect(found(mtu: 1476, limit: 1476).sent == 11)
  }

  @Test func whereNothingIsAnsweredNothingIsKnown() {
    let (largest, sent) = found(mtu: 1500, limit: 0)
    #expect(largest == nil)
    #expect(sent == 24)
  }
}
