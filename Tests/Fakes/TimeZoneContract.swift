package import Agent
internal import Core
internal import RuleSets

/// What every reader of the router's time zone must do: tried on the fake and on files.
package enum TimeZoneContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case withoutFilesItIsUTC
  case aLinkThatLeadsNowhereIsNoFile
  case localtimeIsReadThroughLinks
  case localtimeComesFirst
  case aTextIsReadWhereLocaltimeIsNot
  case whatMakesNoSenseIsTold
  case whatIsNoFileIsTold
  case whatIsTooLargeIsTold
  case aChangeIsSeen

  package var description: String { rawValue }

  package func check(on ground: some TimeZoneGround) throws {
    switch self {
    case .withoutFilesItIsUTC: try ground.expect(nil, .utc)
    case .aLinkThatLeadsNowhereIsNoFile: try ground.nowhere()
    case .localtimeIsReadThroughLinks: try ground.links()
    case .localtimeComesFirst: try ground.both()
    case .aTextIsReadWhereLocaltimeIsNot: try ground.texts()
    case .whatMakesNoSenseIsTold: try ground.nonsense()
    case .whatIsNoFileIsTold: try ground.noFile()
    case .whatIsTooLargeIsTold: try ground.large()
    case .aChangeIsSeen: try ground.changed()
    }
  }
}

/// The files that say a time zone.
package enum TimeZoneFile: CaseIterable, Sendable {
  /// `/etc/localtime`
  case localtime
  /// `/etc/TZ`
  case posix
}

/// What there may be in place of such a file.
package enum TimeZoneEntry: Equatable, Sendable {
  case bytes([UInt8])
  case linkTo([UInt8])
  case linkToNothing, linkToItself, directory, pipe
}

/// A router to try the contract on; it has no such file.
package protocol TimeZoneGround {
  var port: any TimeZonePort { get }
  /// As failures call it.
  func name(of file: TimeZoneFile) -> String
  /// Nil: nothing is there any more.
  func put(_ entry: TimeZoneEntry?, at file: TimeZoneFile) throws
}

/// A time zone file without a history (RFC 8536).
package enum TZif {
  /// - Parameter posix: its rule.
  package static func bytes(_ posix: String) -> [UInt8] {
    func number(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    let header = Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15) + [0, 0, 0, 0, 1, 4].flatMap(number)
    let block = header + number(0) + [0, 0] + Array("LMT\0".utf8)
    return block + block + Array("\n\(posix)\n".utf8)
  }
}

extension TimeZoneGround {
  private static var berlin: String { "CET-1CEST,M3.5.0,M10.5.0/3" }
  private static var tokyo: String { "JST-9" }

  private func zone(_ posix: String) throws -> ZoneRules {
    guard let zone = ZoneRules(posix: posix) else { throw ContractBreach("no zone: \(posix)") }
    return zone
  }

  private func file(_ posix: String) throws -> ZoneRules { try ZoneRules(tzif: TZif.bytes(posix)) }

  fileprivate func expect(_ file: TimeZoneFile?, _ rules: ZoneRules) throws {
    let expected = RouterTimeZone(rules, file: file.map(name))
    let found = try port.timeZone()
    if found != expected { throw ContractBreach("read \(found), not \(expected)") }
  }

  /// The failure names the file.
  private func expectFailure(of file: TimeZoneFile, _ what: String) throws {
    let found: RouterTimeZone
    do throws(StoreFailure) { found = try port.timeZone() } catch {
      guard error.operation.hasSuffix(" \(name(of: file))") else {
        throw ContractBreach("\(what): the failure does not name the file: \(error)")
      }
      return
    }
    throw ContractBreach("\(what): read \(found)")
  }

  fileprivate func nowhere() throws {
    try put(.linkToNothing, at: .localtime)
    try expect(nil, .utc)
    try put(.linkToNothing, at: .posix)
    try expect(nil, .utc)
    try put(.bytes(Array("\(Self.tokyo)\n".utf8)), at: .posix)
    try expect(.posix, try zone(Self.tokyo))
  }

  fileprivate func links() throws {
    try put(.bytes(TZif.bytes(Self.berlin)), at: .localtime)
    try expect(.localtime, try file(Self.berlin))
    try put(.linkTo(TZif.bytes(Self.tokyo)), at: .localtime)
    try expect(.localtime, try file(Self.tokyo))
  }

  fileprivate func both() throws {
    try put(.bytes(TZif.bytes(Self.berlin)), at: .localtime)
    try put(.bytes(Array(Self.tokyo.utf8)), at: .posix)
    try expect(.localtime, try file(Self.berlin))
    // What is damaged is not made good by the other.
    try put(.bytes(Array("TZif".utf8)), at: .localtime)
    try expectFailure(of: .localtime, "a damaged file beside a good text")
  }

  fileprivate func texts() throws {
    for (text, rule) in [
      (Self.berlin, Self.berlin), ("\(Self.berlin)\n", Self.berlin), ("<+0330>-3:30 \n\n", "<+0330>-3:30"),
      ("UTC\n", "UTC0"), ("GMT0\n", "UTC0"),
    ] {
      try put(.bytes(Array(text.utf8)), at: .posix)
      try expect(.posix, try zone(rule))
    }
    try put(.linkTo(Array("\(Self.tokyo)\n".utf8)), at: .posix)
    try expect(.posix, try zone(Self.tokyo))
  }

  fileprivate func nonsense() throws {
    // OpenWrt writes the zone's name there where it has no file of that name.
    for text in ["", "\n", "Europe/Berlin\n", "CET-1CEST", "UTC\nUTC", "\u{0}UTC0"] {
      try put(.bytes(Array(text.utf8)), at: .posix)
      try expectFailure(of: .posix, "the text \(text.debugDescription)")
    }
    let whole = TZif.bytes(Self.berlin)
    for bytes in [[], Array(whole.prefix(44)), Array(whole.dropLast()), Array("CET-1\n".utf8)] {
      try put(.bytes(bytes), at: .localtime)
      try expectFailure(of: .localtime, "\(bytes.count) bytes")
    }
  }

  fileprivate func noFile() throws {
    for file in TimeZoneFile.allCases.reversed() {
      for entry: TimeZoneEntry in [.directory, .pipe, .linkToItself] {
        try put(entry, at: file)
        try expectFailure(of: file, "\(entry)")
      }
    }
  }

  fileprivate func large() throws {
    let spaces = [UInt8](repeating: 0x20, count: 2_000)
    try put(.bytes(Array(Self.tokyo.utf8) + spaces), at: .posix)
    try expectFailure(of: .posix, "2,000 spaces")
    try put(.bytes(TZif.bytes(Self.berlin) + [UInt8](repeating: 0, count: ZoneRules.mostBytes)), at: .localtime)
    try expectFailure(of: .localtime, "too many bytes")
  }

  fileprivate func changed() throws {
    let port = port
    try put(.bytes(TZif.bytes(Self.berlin)), at: .localtime)
    _ = try port.timeZone()
    for rule in [Self.tokyo, Self.berlin] {
      try put(.linkTo(TZif.bytes(rule)), at: .localtime)
      guard try port.timeZone().rules == file(rule) else { throw ContractBreach("\(rule) is not seen") }
    }
    try put(nil, at: .localtime)
    guard try port.timeZone() == .unsaid else { throw ContractBreach("a file that is gone is still read") }
  }
}
