import Agent
import Core
import Glibc
internal import RuleSets

// The table of the flowtable. Not every kernel has flowtables.
extension KernelGround {
  private func fastTable(devices: [String] = ["lan0", "wan0"]) throws -> NftTable {
    let mask = ranges.markMask
    let mark = Mark(value: 0x1200_0000)
    let egress = NftChain(
      name: "fast_e", rules: [FastPath.offloading(mark, mask, by: try Sample.device("wan0"))])
    return NftTable(
      name: ranges.fastTable,
      flowtables: [NftFlowtable(name: "fast", devices: try devices.map(Sample.device))], sets: [],
      maps: [NftMap(name: "fast_by", kind: .mark, elements: [.init(.mark(mark), .goto(chain: "fast_e"))])],
      chains: [
        NftChain(
          name: "settled", hook: .init(kind: .filter, point: .forward, priority: .max),
          rules: [FastPath.entry(mask)]),
        egress,
      ])
  }

  private func addLAN() throws { try addDevice(try Sample.device("lan0"), address: nil) }

  func flowtableReadBack() throws {
    try addLAN()
    let table = try fastTable()
    for _ in 1...2 {
      try apply([.putFastTable(table)])
      try expect(try read().fastTable, is: table, "the flowtable's table, though nobody expects its rules")
    }
    let smaller = try fastTable(devices: ["wan0"])
    try apply([.putFastTable(smaller)])
    try expect(try read().fastTable, is: smaller, "another in its place")
    for _ in 1...2 { try apply([.deleteFastTable(table: table.name)]) }
    try expect(try read().fastTable, is: nil, "the flowtable's table")
  }

  func flowtableWithoutDevice() throws {
    let table = try fastTable(devices: ["wan0"])
    try apply([.putFastTable(table)])
    try expect(.putFastTable(try fastTable(devices: ["gone0", "wan0"])), failsWith: ENOENT)
    try expect(try read().fastTable, is: table, "the flowtable's table after the refusal")
  }

  func flowRuleAlone() throws {
    var table = try fastTable(devices: ["wan0"])
    table.flowtables = []
    try expect(.putFastTable(table), failsWith: ENOENT)
    try expect(try read().fastTable, is: nil, "the flowtable's table after the refusal")
  }

  func flowRuleElsewhere() throws {
    var table = try fastTable(devices: ["wan0"])
    table.chains[0].hook?.point = .postrouting
    try expect(.putFastTable(table), failsWith: EOPNOTSUPP)
  }

  func flowtableLosesDevice() throws {
    try addLAN()
    try apply([.putFastTable(try fastTable())])
    try removeDevice(try Sample.device("lan0"))
    try expect(try read().fastTable, is: try fastTable(devices: ["wan0"]), "the flowtable's table")
  }

  func flowtableApart() throws {
    let steering = try sampleNftTable()
    let table = try fastTable(devices: ["wan0"])
    try apply([.replaceNftTable(steering), .putFastTable(table)])
    try expect(try read(expecting: steering).nftTable, is: steering, "steering")
    try expect(try foreign.foreign().flowtables, is: [], "other programs' flowtables")
    try apply([.deleteNftTable(table: steering.name)])
    try expect(try read().fastTable, is: table, "the flowtable's table")
    try apply([.replaceNftTable(steering), .deleteFastTable(table: table.name)])
    try expect(try read(expecting: steering).nftTable, is: steering, "steering")
  }
}
