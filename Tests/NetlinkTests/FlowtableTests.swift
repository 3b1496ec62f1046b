import Testing

@testable import Netlink

@Suite("Flowtables of other software")
struct FlowtableTests {
  @Test("a flowtable comes with its devices and users, and one without a name is refused")
  func flowtable() {
    func number(_ value: UInt32) -> [UInt8] { Datagram.raw(value.bigEndian) }
    let devices = ["lan0", "wan0"].flatMap { Datagram.attribute(1, Array($0.utf8) + [0]) }
    let hook = Datagram.attribute(3, Datagram.attribute(1, number(0)) + Datagram.attribute(3, devices))
    let table = Datagram.attribute(1, Array("fw4".utf8) + [0])
    let rest = hook + Datagram.attribute(4, number(2)) + Datagram.attribute(7, number(1))
    func parse(_ bytes: [UInt8]) -> FlowtableMessage? {
      bytes.withUnsafeBytes { FlowtableMessage(family: "inet", Bytes($0)) }
    }
    var expected = FlowtableMessage(
      family: "inet", table: "fw4", name: "ft", devices: ["lan0", "wan0"], users: 2, isHardware: true)
    expected.hook = 0
    #expect(parse(table + Datagram.attribute(2, Array("ft".utf8) + [0]) + rest) == expected)
    #expect(parse(table + rest) == nil)
    #expect(parse(Array((table + rest).dropLast())) == nil)
  }
}
