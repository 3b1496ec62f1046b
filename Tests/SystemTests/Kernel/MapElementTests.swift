import Core
import Netlink
internal import RuleSets
import Testing

@testable import System

/// Elements of maps of boxes between Core and the kernel.
@Suite struct MapElementTests {
  private let fields: [PacketField] = [.turn, .sender, .source, .protocol, .port]

  private func written(_ sides: [PacketBox.Side]) -> NFTMapElement {
    NFTMapElement(.init(.box(PacketBox(sides)), .goto(chain: "hit")), in: .boxes(fields))
  }

  private func read(_ element: NFTMapElement) -> NftMap.Element? {
    NftMap.Element(
      NFTListedElement(element), of: NFTSet.Key(.boxes(fields)))
  }

  private func sides(source: PacketBox.Side = .any(.source), port: PacketBox.Side = .any(.port)) -> [PacketBox.Side] {
    [.turn(1), .any(.sender), source, .numbers(6, 17), port]
  }

  @Test func lieAsInAPacketEachFieldFilledUp() {
    let element = written(sides(source: .numbers(0x0a00_0001, 0x0a00_0002), port: .numbers(443, 443)))
    #expect(
      element.key == [7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + [10, 0, 0, 1] + [6, 0, 0, 0] + [1, 0xbb, 0, 0])
    #expect(
      element.last
        == [8, 1, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0] + [10, 0, 0, 2] + [17, 0, 0, 0] + [1, 0xbb, 0, 0])
  }

  @Test func areReadAsTheyWereWritten() {
    for sides in [sides(), sides(source: .numbers(5, 5), port: .numbers(0, 0))] {
      #expect(read(written(sides))?.key == .box(PacketBox(sides)))
    }
  }

  /// Each is one that we would not write, and makes the map another one than ours.
  @Test func whatIsNoBoxIsNone() {
    let good = written(sides())
    #expect(read(good) != nil)
    func refuse(_ what: String, _ change: (inout NFTMapElement) -> Void) {
      var element = good
      change(&element)
      #expect(read(element) == nil, "\(what)")
    }
    refuse("no last key") { $0.last = nil }
    refuse("an empty last key") { $0.last = [] }
    for count in [0, 1, 4, 23, 25, 48] {
      let key = Array((good.key + good.key).prefix(count))
      refuse("a key of \(count) bytes") { $0.key = key }
      refuse("a last key of \(count) bytes") { $0.last = key }
      refuse("both of \(count) bytes") { ($0.key, $0.last) = (key, key) }
    }
    refuse("the first is above the last") { ($0.key, $0.last) = ($0.last ?? [], $0.key) }
    refuse("what fills up is not zero") { $0.key[3] = 1 }
    refuse("nor in the last") { $0.last?[22] = 1 }
    refuse("another verdict") { $0.verdict = .drop }
  }

  @Test func otherMapsHaveNoRanges() {
    let device = NFTMapElement(key: NFTExpression.deviceName("lan0"), verdict: .drop)
    var listed = NFTListedElement(device)
    listed.verdict = .goto(chain: "hit")
    #expect(NftMap.Element(listed, of: .device) != nil)
    listed.last = listed.key
    #expect(NftMap.Element(listed, of: .device) == nil)
    var mark = NFTListedElement(NFTMapElement(key: [1, 2, 3, 4], verdict: .goto(chain: "hit")))
    #expect(NftMap.Element(mark, of: .mark) != nil)
    mark.last = mark.key
    #expect(NftMap.Element(mark, of: .mark) == nil)
  }
}
