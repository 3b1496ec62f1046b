internal import Agent
internal import Core

/// What an agent that is not root asks of `backhaul-hooks@.service`: one run of one hook. It is one packet of a Unix
/// socket (SOCK_SEQPACKET, unix(7)), made of words that each end with a zero byte, as environ(7) has them: this form's
/// name, folder, hook, the limit in milliseconds, and the variables.
struct HookErrand: Equatable, Sendable {
  /// Sixteen variables of at most 1,024 bytes, a path, and room.
  static let largest = 32 << 10
  private static let form = "hook-1"
  private static let mostVariables = 32

  var folder: String
  var hook: String
  /// Whole milliseconds, up to the 300 s of `time_limit_seconds`.
  var limit: Duration
  var environment: [String]

  var packet: [UInt8] {
    ZeroEndedWords.bytes([Self.form, folder, hook, String(limit.wholeMilliseconds)] + environment)
  }

  init(folder: String, hook: String, limit: Duration, environment: [String]) {
    self.folder = folder
    self.hook = hook
    self.limit = limit
    self.environment = environment
  }

  /// Nil if it is not one. Who may send one could have any program that root lets everyone run: variables that a loader
  /// or a shell obeys are not taken.
  init?(packet: [UInt8]) {
    guard packet.count <= Self.largest, let words = ZeroEndedWords.words(packet), words.count >= 4,
      words.count <= 4 + Self.mostVariables, words[0] == Self.form, words[1].hasPrefix("/"),
      let milliseconds = Int64(words[3]), (1...300_000).contains(milliseconds),
      words.dropFirst(4).allSatisfy(Self.isTold)
    else { return nil }
    self.init(
      folder: words[1], hook: words[2], limit: .milliseconds(milliseconds), environment: Array(words.dropFirst(4)))
  }

  private static func isTold(_ variable: String) -> Bool {
    if variable == "PATH=\(HookCall.path)" { return true }
    guard let end = variable.utf8.firstIndex(of: UInt8(ascii: "=")) else { return false }
    let name = variable.utf8[..<end]
    return name.starts(with: "BACKHAUL_".utf8)
      && name.allSatisfy { (0x41...0x5a).contains($0) || $0 == UInt8(ascii: "_") }
  }
}

extension HookOutcome {
  /// One packet too: a word for the end, its number or cause, and what was printed.
  var packet: [UInt8] {
    let words: [String] =
      switch end {
      case .exited(let status): ["exited", String(status)]
      case .killed(let signal): ["killed", String(signal)]
      case .overTime: ["over-time", ""]
      case .notStarted(let why): ["not-started", why]
      }
    return ZeroEndedWords.bytes(words + output)
  }

  init?(packet: [UInt8]) {
    guard packet.count <= HookErrand.largest, let words = ZeroEndedWords.words(packet), words.count >= 2 else {
      return nil
    }
    let number = Int32(words[1])
    let end: End? =
      switch words[0] {
      case "exited": number.map { .exited($0) }
      case "killed": number.map { .killed(signal: $0) }
      case "over-time": .overTime
      case "not-started": .notStarted(HookOutput.plain(words[1]))
      default: nil
      }
    guard let end else { return nil }
    // A hook may write to the process that speaks for it.
    self.init(end, output: HookOutput.lines(Array(words.dropFirst(2))))
  }
}

/// Strings that each end with a zero byte.
private enum ZeroEndedWords {
  static func bytes(_ words: [String]) -> [UInt8] { words.flatMap { $0.utf8.filter { $0 != 0 } + [0] } }

  /// Nil if the last one has no end, or one is not UTF-8.
  static func words(_ bytes: [UInt8]) -> [String]? {
    guard bytes.last == 0 else { return nil }
    var words: [String] = []
    for part in bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false) {
      guard let word = String(validating: part, as: UTF8.self) else { return nil }
      words.append(word)
    }
    return words
  }
}

extension Duration {
  fileprivate var wholeMilliseconds: Int64 {
    components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
  }
}
