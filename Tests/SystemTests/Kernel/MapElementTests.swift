import Core
import Netlink
internal import RuleSets
import Testing

@testable import System

/// Elements of maps of boxes between Core and the kernel.
@Suite struct MapElementTests {
  private let fields = PacketField.allCases
  private let lan: InterfaceName

  init() throws { lan = try #require(InterfaceName("lan0")) }

  private func written(_ sides: [PacketBox.Side]) -> NFTMapElement {
    NFTMapElement(.init(.box(PacketBox(sides)), .goto(chain: "hit")), in: .boxes(fields))
  }

  private func read(_ element: NFTMapElement) -> NftMap.Element? {
    NftMap.Element(
      NFTListedElement(element), of: NFTSet.Key(.boxes(fields)))
  }

  private func sides(
    incoming: PacketBox.Side = .anyDevice, source: PacketBox.Side = .any(.source), port: PacketBox.Side = .any(.port)
  ) -> [PacketBox.Side] {
    [
      .turn(1), incoming, .any(.sender), source, .any(.destination), .any(.protocol), port,
      .numbers(0xb8, 0xbb),
    ]
  }

  @Test func lieAsInAPacketEachFieldFilledUp() {
    let element = written(
      sides(incoming: .device(lan), source: .numbers(0x0a00_0001, 0x0a00_0002), port: .numbers(443, 443)))
    let name = Array("lan0".utf8) + [UInt8](repeating: 0, count: 12)
    #expect(
      element.key
        == [7, 0xff, 0, 0] + name + [0, 0, 0, 0, 0, 0, 0, 0] + [10, 0, 0, 1] + [0, 0, 0, 0] + [0, 0, 0, 0]
        + [1, 0xbb, 0, 0] + [0xb8, 0, 0, 0])
    #expect(
      element.last
        == [8, 1, 0, 0] + name + [255, 255, 255, 255, 255, 255, 0, 0] + [10, 0, 0, 2] + [255, 255, 255, 255]
        + [255, 0, 0, 0] + [1, 0xbb, 0, 0] + [0xbb, 0, 0, 0])
  }

  @Test func areReadAsTheyWereWritten() {
    for sides in [sides(), sides(incoming: .device(lan)), sides(source: .numbers(5, 5), port: .numbers(0, 0))] {
      #expect(read(written(sides))?.key == .box(PacketBox(sides)))
    }
  }

  /// Each is one that we would not write, and makes the map another one than ours.
  @Test func whatIsNoBoxIsNone() {
    let good = written(sides(incoming: .device(lan)))
    #expect(read(good) != nil)
    func refuse(_ what: String, _ change: (inout NFTMapElement) -> Void) {
      var element = good
      change(&element)
      #expect(read(element) == nil, "\(what)")
    }
    refuse("no last key") { $0.last = nil }
    refuse("an empty last key") { $0.last = [] }
    for count in [0, 1, 4, 47, 49, 64] {
      let key = Array((good.key + good.key).prefix(count))
      refuse("a key of \(count) bytes") { $0.key = key }
      refuse("a last key of \(count) bytes") { $0.last = key }
      refuse("both of \(count) bytes") { ($0.key, $0.last) = (key, key) }
    }
    refuse("the first is above the last") { ($0.key, $0.last) = ($0.last ?? [], $0.key) }
    refuse("what fills up is not zero") { $0.key[3] = 1 }
    refuse("nor in the last") { $0.last?[46] = 1 }
    refuse("a range of devices") { $0.last?[4] = UInt8(ascii: "m") }
    refuse("a name that is none") { element in
      element.key[5] = UInt8(ascii: "/")
      element.last?[5] = UInt8(ascii: "/")
    }
    refuse("bytes behind a name") { element in
      element.key[18] = 1
      element.last?[18] = 1
    }
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
