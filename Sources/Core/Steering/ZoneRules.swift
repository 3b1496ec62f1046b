/// A time zone: how far the clock on the wall is ahead of UTC, and when that changes. Read from a TZif file (RFC 8536), as
/// `/etc/localtime` is one.
///
/// It is read here and not by `localtime_r`, because a schedule asks when the clock will next be set, which the C library
/// does not tell; because the C library keeps what it has read, and looks at the file again when it likes; and because a
/// function of bytes can be tested for any zone on any machine.
package struct ZoneRules: Equatable, Sendable {
  /// Seconds since 1970 in UTC, ascending, with the offset that begins then.
  private var changes: [(at: Int64, offset: Int)] = []
  /// What holds before the first of them.
  private var first = 0
  /// What holds after the last of them; nil: the last one for ever.
  private var later: ZoneRule?

  package static let utc = ZoneRules()

  private init() {}

  /// A zone that a rule tells wholly: a POSIX `TZ` text such as `CET-1CEST,M3.5.0,M10.5.0/3`. `UTC` and `GMT` alone are
  /// none by POSIX, which wants an offset, but musl and OpenWrt's default configuration say so.
  package init?(posix text: some StringProtocol) {
    guard let rule = text == "UTC" || text == "GMT" ? ZoneRule("UTC0") : ZoneRule(text) else { return nil }
    later = rule
    first = rule.standard
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.first == right.first && left.later == right.later
      && left.changes.elementsEqual(right.changes) { $0.at == $1.at && $0.offset == $1.offset }
  }

  // MARK: - Questions

  /// How many seconds the clock on the wall is ahead of UTC at this moment, in seconds since 1970.
  package func offset(at moment: Int64) -> Int {
    var (low, high) = (0, changes.count)
    while low < high {
      let middle = (low + high) / 2
      if changes[middle].at <= moment { low = middle + 1 } else { high = middle }
    }
    if low == changes.count, let later { return later.offset(at: moment) }
    return low == 0 ? first : changes[low - 1].offset
  }

  /// When the clock on the wall is next set forward or back, after this moment; nil: never.
  package func nextChange(after moment: Int64) -> Int64? {
    let next = changes.first { $0.at > moment }?.at
    return next ?? later?.nextChange(after: max(moment, changes.last?.at ?? moment))
  }

  /// The minute of the week that the clock on the wall shows; 0 is Monday 00:00.
  package func minuteOfWeek(at moment: Int64) -> Int {
    let local = moment + Int64(offset(at: moment))
    // 1970-01-01 was a Thursday.
    let minutes = Self.floor(local, 60) + 3 * 1_440
    return Int(minutes - Self.floor(minutes, 10_080) * 10_080)
  }

  private static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }

  // MARK: - TZif

  /// Why bytes are not a time zone.
  package struct Refusal: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  /// No zone's file is nearly as long.
  package static let mostBytes = 65_536
  private static let mostChanges = 4_096

  /// Reads a TZif file of version 1 to 4.
  package init(tzif bytes: [UInt8]) throws(Refusal) {
    guard bytes.count <= Self.mostBytes else { throw Refusal(description: "more than \(Self.mostBytes) bytes") }
    var reader = ByteReader(bytes)
    var header = try TZifHeader(&reader)
    var width = 4
    if header.version >= 2 {
      // The first block is for readers that know 32 bits only.
      try reader.skip(header.length(width: 4))
      header = try TZifHeader(&reader)
      width = 8
    }
    guard header.changes <= Self.mostChanges, (1...256).contains(header.types) else {
      throw Refusal(description: "\(header.changes) changes among \(header.types) offsets")
    }
    var times: [Int64] = []
    for _ in 0..<header.changes { times.append(try reader.integer(width)) }
    var kinds: [Int] = []
    for _ in 0..<header.changes { kinds.append(Int(try reader.integer(1) & 0xff)) }
    var offsets: [Int] = []
    for _ in 0..<header.types {
      offsets.append(Int(try reader.integer(4)))
      try reader.skip(2)
    }
    try reader.skip(header.characters + header.leaps * (width + 4) + header.standards + header.universals)
    guard zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw Refusal(description: "its changes are not in order")
    }
    guard kinds.allSatisfy(offsets.indices.contains), offsets.allSatisfy(ZoneRule.offsets.contains) else {
      throw Refusal(description: "an offset is out of range")
    }
    first = offsets[0]
    changes = zip(times, kinds).map { ($0, offsets[$1]) }
    guard width == 8 else { return }
    let text = try reader.footer()
    guard !text.isEmpty else { return }
    guard let rule = ZoneRule(text) else { throw Refusal(description: "its last rule cannot be read") }
    later = rule
  }
}

/// What a block of a TZif file has how many of (RFC 8536 section 3.1).
private struct TZifHeader {
  var version: Int
  var universals: Int
  var standards: Int
  var leaps: Int
  var changes: Int
  var types: Int
  var characters: Int

  init(_ reader: inout ByteReader) throws(ZoneRules.Refusal) {
    guard try reader.take(4) == Array("TZif".utf8)[...] else { throw .init(description: "it does not begin with TZif") }
    let word = try reader.take(1).first ?? 0
    version = word == 0 ? 1 : Int(word) - Int(UInt8(ascii: "0"))
    guard (1...9).contains(version) else { throw .init(description: "version \(word)") }
    try reader.skip(15)
    universals = try reader.count()
    standards = try reader.count()
    leaps = try reader.count()
    changes = try reader.count()
    types = try reader.count()
    characters = try reader.count()
  }

  func length(width: Int) -> Int {
    changes * (width + 1) + types * 6 + characters + leaps * (width + 4) + standards + universals
  }
}

/// Takes bytes from the front, most significant first.
private struct ByteReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  mutating func take(_ count: Int) throws(ZoneRules.Refusal) -> ArraySlice<UInt8> {
    guard count >= 0, count <= rest.count else { throw .init(description: "it is cut off") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func skip(_ count: Int) throws(ZoneRules.Refusal) { _ = try take(count) }

  /// Signed.
  mutating func integer(_ width: Int) throws(ZoneRules.Refusal) -> Int64 {
    let bytes = try take(width)
    let isNegative = (bytes.first ?? 0) & 0x80 != 0
    return bytes.reduce(isNegative ? -1 : 0) { $0 << 8 | Int64($1) }
  }

  /// Never more than a file may have bytes.
  mutating func count() throws(ZoneRules.Refusal) -> Int {
    let count = try integer(4)
    guard (0...Int64(ZoneRules.mostBytes)).contains(count) else { throw .init(description: "it is cut off") }
    return Int(count)
  }

  /// The text between two line feeds; empty where no rule is known.
  mutating func footer() throws(ZoneRules.Refusal) -> String {
    let newline = UInt8(ascii: "\n")
    guard rest.first == newline, let end = rest.dropFirst().firstIndex(of: newline) else {
      throw .init(description: "it is cut off")
    }
    return String(decoding: rest[rest.startIndex + 1..<end], as: UTF8.self)
  }
}
