internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Matches and packets of a small world, in which every kind of packet can be looked at.
struct SteeringDice {
  var random: SeededRandom

  mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

  private mutating func some<Value>(_ values: [Value]) -> [Value] {
    roll(2) == 0 ? [] : values.filter { _ in roll(2) == 0 }
  }

  static let lans = ["lan0", "lan1", "lan2"].compactMap { InterfaceName($0) }
  static let prefixes = ["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/9", "10.128.0.0/9", "192.0.2.0/24", "0.0.0.0/0"]
    .compactMap { IPv4Prefix($0) }
  static let addresses = ["10.1.0.1", "10.2.0.1", "10.129.0.1", "192.0.2.9", "203.0.113.1"].compactMap {
    IPv4Address($0)
  }
  static let macs = (1...2).compactMap { MACAddress(value: $0) }
  static let ranges = ["80-80", "81-90", "85-99", "80-99"].compactMap { PortRange($0) }
  static let domains = ["example", "a.example", "b.a.example", "aexample"].compactMap { DomainName($0) }
  static let codes = [0, 46].compactMap { DSCP(value: $0) }
  static let times = ["00:00", "06:00", "22:00"].compactMap { TimeOfDay($0) }
  static let minutes = [0, 359, 360, 1_319, 1_320, 1_440, 1_799, 1_800, 8_640, 9_959, 9_960, 10_079]

  mutating func match() throws -> SteeringMatch {
    var match = SteeringMatch(
      lans: some(Self.lans), sources: some(Self.prefixes), destinations: roll(3) == 0 ? some(Self.prefixes) : [],
      macs: roll(3) == 0 ? some(Self.macs) : [], protocols: some([.tcp, .udp]), dscp: some(Self.codes),
      domains: roll(3) == 0 ? some(Self.domains) : [])
    if !match.protocols.isEmpty { match.ports = some(Self.ranges) }
    if roll(3) == 0 {
      let days = some([Weekday.monday, .tuesday, .sunday])
      let from = Self.times[roll(3)]
      let to = Self.times.filter { $0 != from }[roll(2)]
      match.schedule = Schedule(days: days.isEmpty ? Weekday.allCases : days, from: from, to: to)
    }
    return match
  }

  mutating func packet() -> SteeredPacket {
    func one<Value>(_ values: [Value]) -> Value { values[roll(values.count)] }
    let number = [ProtocolNumber.tcp, .udp, .icmp][roll(3)]
    return SteeredPacket(
      source: one(Self.addresses), destination: one(Self.addresses), lan: one(Self.lans),
      mac: roll(3) == 0 ? nil : one(Self.macs), protocol: number,
      port: number.hasPorts ? [79, 80, 84, 86, 95, 100][roll(6)] : nil, dscp: one(Self.codes),
      domains: roll(2) == 0 ? [] : [one(Self.domains)], minuteOfWeek: one(Self.minutes))
  }

  /// Packets that differ in one property at a time from those that the matches take, and so contradict a cover if any
  /// does: properties are independent.
  mutating func everyPacket(of one: SteeringMatch, and other: SteeringMatch) throws -> [SteeredPacket] {
    // A packet that the other match takes, in each property in every way that there is.
    func taken(_ packet: SteeredPacket) -> [SteeringField] { other.misses(packet) }
    var base = packet()
    for lan in Self.lans where !other.takes(base, in: .lans) { base.lan = lan }
    for address in Self.addresses where !other.takes(base, in: .sources) { base.source = address }
    for address in Self.addresses where !other.takes(base, in: .destinations) { base.destination = address }
    for mac in Self.macs where !other.takes(base, in: .macs) { base.mac = mac }
    for code in DSCP.all where !other.takes(base, in: .dscp) { base.dscp = code }
    for domain in Self.domains where !other.takes(base, in: .domains) { base.domains = [domain] }
    for number in [ProtocolNumber.tcp, .udp] where !other.takes(base, in: .protocols) { base.protocol = number }
    base.port = base.protocol.hasPorts ? 80 : nil
    for port in UInt16(80)...99 where !other.takes(base, in: .ports) { base.port = port }
    for minute in Self.everyMinute where !other.takes(base, in: .schedule) { base.minuteOfWeek = minute }
    #expect(taken(base).isEmpty, "\(other) takes \(base)")
    var packets: [SteeredPacket] = []
    func vary(_ change: (inout SteeredPacket) -> Void) {
      var packet = base
      change(&packet)
      packets.append(packet)
    }
    let edges = Self.prefixes.flatMap { [$0.range.lowerBound, $0.range.upperBound] }.map { IPv4Address(value: $0) }
    for lan in Self.lans + [try #require(InterfaceName("other"))] { vary { $0.lan = lan } }
    for address in Self.addresses + edges { vary { $0.source = address } }
    for address in Self.addresses + edges { vary { $0.destination = address } }
    for mac in Self.macs { vary { $0.mac = mac } }
    vary { $0.mac = nil }
    for code in DSCP.all { vary { $0.dscp = code } }
    for domain in Self.domains { vary { $0.domains = [domain] } }
    vary { $0.domains = [] }
    for number in [ProtocolNumber.tcp, .udp] {
      for port in UInt16(79)...101 { vary { ($0.protocol, $0.port) = (number, port) } }
    }
    vary { ($0.protocol, $0.port) = (.icmp, nil) }
    for minute in Self.everyMinute { vary { $0.minuteOfWeek = minute } }
    return packets
  }

  /// In steps that no bound of a schedule of this world lies between.
  private static let everyMinute = Array(stride(from: 0, to: Schedule.minutesOfWeek, by: 30))
}
