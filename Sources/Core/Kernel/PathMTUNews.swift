package import RuleSets

/// When the kernel is looked at because a router on the way says that packets to somebody are too large. A router
/// reports it for every large packet, and anybody can send such a report.
package struct PathMTUNews: Equatable, Sendable {
  private struct Word: Equatable, Sendable {
    var mtu: Int
    var at: Instant
  }

  /// Between two looks: whatever is said meanwhile is seen by the next.
  static let pause: Duration = .seconds(1)
  /// What is said again within this time is no news: the kernel was looked at for it, and is looked at each 30 s besides.
  static let memory: Duration = .seconds(30)
  /// From a look to the next for the same news: while a tunnel's keys are being made its size cannot be told, and the
  /// kernel may have forgotten meanwhile what it had learnt.
  static let again: Duration = .seconds(3)
  /// More than any router has hubs. A flood of forged messages makes us forget, and costs one look a second.
  static let mostWords = 256

  private var words: [IPv4Address: Word] = [:]
  /// When the last look was asked for.
  private var look: Instant?
  /// When the second look for some news is due.
  private var secondLook: Instant?

  package init() {}

  /// - Parameter mtu: bytes of the largest packet that fits, as was said; routers before RFC 1191 say 0.
  /// - Returns: when the kernel is to be looked at, ascending; none: not for this.
  package mutating func heard(_ mtu: Int, to destination: IPv4Address, at now: Instant) -> [Instant] {
    if let word = words[destination], word.mtu == mtu, now - word.at < Self.memory { return [] }
    if words.count >= Self.mostWords { words = words.filter { now - $0.value.at < Self.pause } }
    if words.count >= Self.mostWords { words = [:] }
    words[destination] = Word(mtu: mtu, at: now)
    let next = look.map { max(now, $0 + Self.pause) } ?? now
    if let look, look > now { return [] }
    look = next
    if let secondLook, secondLook > next { return [next] }
    secondLook = next + Self.again
    return [next, next + Self.again]
  }
}
