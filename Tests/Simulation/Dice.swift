/// SplitMix64: small, seeded, the same everywhere. The only source of chance in a simulation.
package struct Dice: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// 0 up to but not including `bound`. By multiplication, because the library rejects and repeats, and this is the hot
  /// path.
  mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

  mutating func between(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

  /// True in this many of 1,000 cases.
  mutating func chance(_ perMille: Int) -> Bool { perMille > 0 && below(1_000) < perMille }

  mutating func of<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  mutating func time(_ range: ClosedRange<Nanoseconds>) -> Nanoseconds {
    range.lowerBound + Nanoseconds(below(Int(range.upperBound - range.lowerBound) + 1))
  }

  /// Exponentially distributed, like the time between two independent things: the bits of a random number before its
  /// first one are a whole number of halvings, and the rest is linear between them.
  mutating func wait(mean: Nanoseconds) -> Nanoseconds {
    let random = next()
    let halvings = Nanoseconds(min(random.leadingZeroBitCount, 12))
    let part = Nanoseconds(random & 0xff)
    return mean * 7 / 10 * (halvings * 256 + part) / 256
  }

  mutating func shuffle<Element>(_ elements: inout [Element]) {
    for index in stride(from: elements.count - 1, to: 0, by: -1) { elements.swapAt(index, below(index + 1)) }
  }
}

/// On the virtual clock. Plain numbers, since a simulation handles a hundred million of them.
package typealias Nanoseconds = Int64

let microsecond: Nanoseconds = 1_000
let millisecond: Nanoseconds = 1_000_000
let second: Nanoseconds = 1_000_000_000
/// Later than everything.
let never = Nanoseconds.max
