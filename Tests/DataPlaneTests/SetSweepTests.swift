internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// What a large change of sets looks like at each moment.
@Suite struct SetSweepTests {
  /// This many addresses, no two adjacent.
  private func hosts(from first: UInt32, _ count: Int) -> [ClosedRange<UInt32>] {
    (0..<UInt32(count)).map { number in
      let address: UInt32 = first + number * 4
      return address...address
    }
  }

  private func apply(_ piece: [SetChange], to sets: inout [NftSet]) throws {
    for change in piece {
      let index = try #require(sets.firstIndex { $0.name == change.set })
      let there = Set(sets[index].ranges)
      // The kernel deletes only exactly what is there.
      #expect(change.remove.allSatisfy(there.contains))
      sets[index].ranges = (there.subtracting(change.remove) + change.add).sorted { $0.lowerBound < $1.lowerBound }
      for (range, next) in zip(sets[index].ranges, sets[index].ranges.dropFirst()) {
        #expect(UInt64(range.upperBound) + 1 < UInt64(next.lowerBound), "\(change.set): \(range) meets \(next)")
      }
    }
  }

  private func membership(_ address: UInt32, _ sets: [NftSet]) -> [Bool] {
    sets.map { AddressRanges.contain(IPv4Address(value: address), $0.ranges) }
  }

  /// Each moment between `old` and `new`: bounded, and each address in the old sets or in the new, never a mixture.
  private func check(_ old: [NftSet], _ new: [NftSet], limit: Int, _ note: String) throws {
    let pieces = SetSweep.pieces(from: old, to: new, limit: limit)
    // Differences can only begin at a range's edge.
    let edges = Set((old + new).flatMap(\.ranges).flatMap { [$0.lowerBound, $0.upperBound &+ 1, $0.upperBound] })
    var sets = old
    for (number, piece) in pieces.enumerated() {
      let changed = piece.reduce(0) { $0 + $1.count }
      // Ranges of several sets may begin at one address, and two for each set are cut by the line.
      #expect(changed <= limit + 4 * old.count, "piece \(number) has \(changed), \(note)")
      try apply(piece, to: &sets)
      for address in edges {
        let now = membership(address, sets)
        #expect(
          now == membership(address, old) || now == membership(address, new),
          "\(IPv4Address(value: address)) after piece \(number), \(note)")
      }
    }
    #expect(sets == new, "in the end, \(note)")
    #expect(SetSweep.pieces(from: sets, to: new, limit: limit).isEmpty, "\(note)")
  }

  /// Random ranges between two addresses, merged as in a set.
  private func ranges(_ random: inout SeededRandom, within span: ClosedRange<UInt32>, _ count: Int) -> [ClosedRange<
    UInt32
  >] {
    let all = (0..<count).map { _ -> ClosedRange<UInt32> in
      let start = UInt32.random(in: span, using: &random)
      let length =
        random.chance(60) ? 0 : UInt32.random(in: 0...(span.upperBound - span.lowerBound) / 4, using: &random)
      return start...min(span.upperBound, start.addingReportingOverflow(length).overflow ? .max : start + length)
    }
    return AddressRanges.merged(all)
  }

  @Test(arguments: 0..<300) func eachMomentIsOldOrNew(_ number: UInt64) throws {
    var random = SeededRandom(seed: 20_261_130 &+ number)
    // At the ends of all addresses too.
    let spans: [ClosedRange<UInt32>] = [0...60, 1000...1200, UInt32.max - 80...UInt32.max]
    let span = spans[Int(number % 3)]
    let names = ["direct", "source_a", "source_b"].prefix(Int.random(in: 1...3, using: &random))
    func sets(_ random: inout SeededRandom) -> [NftSet] {
      names.map {
        NftSet(name: $0, ranges: ranges(&random, within: span, Int.random(in: 0...20, using: &random)))
      }
    }
    let (old, new) = (sets(&random), sets(&random))
    for limit in [1, 2, 5, 1000] { try check(old, new, limit: limit, "seed \(number), limit \(limit)") }
  }

  @Test func aSmallChangeIsOneTransaction() {
    let many = hosts(from: 0, 5000)
    let more = many + hosts(from: 100_000, 10)
    let pieces = SetSweep.pieces(
      from: [NftSet(name: "direct", ranges: many)], to: [NftSet(name: "direct", ranges: more)])
    #expect(pieces.count == 1 && pieces[0].count == 1 && pieces[0][0].add.count == 10 && pieces[0][0].remove.isEmpty)
  }

  /// As many as a rule set may hold, none adjacent, and all different from the ones before.
  @Test func theWorstCaseIsBounded() {
    let (old, new) = (hosts(from: 0, RuleSetBounds.prefixes), hosts(from: 2, RuleSetBounds.prefixes))
    let pieces = SetSweep.pieces(
      from: [NftSet(name: "direct", ranges: old)], to: [NftSet(name: "direct", ranges: new)])
    #expect(pieces.count == 2 * RuleSetBounds.prefixes / SetSweep.rangesPerTransaction)
    #expect(pieces.allSatisfy { $0.reduce(0) { $0 + $1.count } <= SetSweep.rangesPerTransaction + 2 })
  }
}
