import Testing

@testable import Netlink

/// A table's entries as IPT_SO_GET_ENTRIES gives them.
@Suite("iptables-legacy")
struct LegacyTableTests {
  /// 112 bytes of struct ipt_entry with the places of the target and of the next entry, then matches, then the target.
  private func entry(
    _ name: String, revision: UInt8 = 0, _ data: [UInt8], matches: Int = 0, target: UInt16? = nil, next: UInt16? = nil
  ) -> [UInt8] {
    let start = 112 + matches
    let length = 32 + data.count
    let head =
      [UInt8](repeating: 1, count: 88) + Datagram.raw(target ?? UInt16(start))
      + Datagram.raw(next ?? UInt16(start + length)) + [UInt8](repeating: 2, count: 20 + matches)
    let padded = Array(name.utf8) + [UInt8](repeating: 0, count: 29 - name.utf8.count)
    return head + Datagram.raw(UInt16(length)) + padded + [revision] + data
  }

  private func named(_ chain: String) -> [UInt8] {
    entry("ERROR", Array(chain.utf8) + [UInt8](repeating: 0, count: 32 - chain.utf8.count))
  }

  /// `chain: target`, and at the end whether every length was right.
  private func read(_ entries: [UInt8], chains: [Int: String] = [:]) -> [String] {
    var found: [String] = []
    let isGood = entries.withUnsafeBytes {
      LegacyTable.forEachTarget(in: Bytes($0), chains: chains) { found.append("\($0): \($1)") }
    }
    return found + (isGood ? [] : ["lies"])
  }

  private let accept = [UInt8]([0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0])
  private let mark = [UInt8]([0, 0, 0x10, 0, 0, 0, 0xf0, 0x0f])

  @Test("targets are reported with their chain, whatever matches come before them")
  func chains() {
    let first = entry("MARK", revision: 2, mark, matches: 48)
    let policy = entry("", accept)
    let table = first + policy + policy + named("mine") + entry("MARK", revision: 2, mark) + named("ERROR")
    #expect(
      read(table, chains: [0: "PREROUTING", first.count + policy.count: "INPUT"]).filter { !$0.contains(": target  0") }
        == [
          "PREROUTING: target MARK 2 0x000010000000f00f",
          "mine: target ERROR 0 0x6d696e65" + String(repeating: "0", count: 56),
          "mine: target MARK 2 0x000010000000f00f",
          "ERROR: target ERROR 0 0x4552524f52" + String(repeating: "0", count: 54),
        ])
    #expect(read([]) == [])
  }

  @Test("an entry with impossible offsets ends the list", arguments: [0, 111, 121, 65_535] as [UInt16])
  func lies(_ place: UInt16) {
    #expect(read(entry("", accept) + entry("MARK", revision: 2, mark, target: place)).suffix(1) == ["lies"])
    #expect(read(entry("", accept) + entry("MARK", revision: 2, mark, next: place)).suffix(1) == ["lies"])
  }

  @Test("a table that is cut off anywhere is refused")
  func cut() {
    let table = entry("MARK", revision: 2, mark)
    for length in 1..<table.count { #expect(read(Array(table.prefix(length))) == ["lies"]) }
  }
}
