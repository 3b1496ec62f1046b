/// The same numbers in every run, on every machine (SplitMix64): a test's source of randomness. Print the seed with a
/// failure to be able to repeat it.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// True in this many of 100 cases.
  package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

  /// Each element is included with that probability.
  package mutating func some<Element>(_ elements: [Element], percent: Int = 50) -> [Element] {
    elements.filter { _ in chance(percent) }
  }
}
