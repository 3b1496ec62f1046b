package import Agent
internal import Core

/// What every metrics outlet must do: each case is one promise, tried on the fake and on Linux.
package enum MetricsContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case whoeverAsksGetsThePageOfThatMoment
  case whoIsSlowHindersNobody
  case whoIsOneTooManyGetsNone
  case placeOfAnotherIsRefusedAndMayBeTriedAgain
  case nobodyListensTwice
  case closeLeavesThePlace
  case fileIsTheOldPageOrTheNew
  case fileThatCannotBeReplacedStays
  case whatIsNotConfiguredIsNotDone

  package var description: String { rawValue }

  package func check(on ground: some MetricsGround) async throws {
    switch self {
    case .whoeverAsksGetsThePageOfThatMoment: try await ground.asked()
    case .whoIsSlowHindersNobody: try await ground.slow()
    case .whoIsOneTooManyGetsNone: try await ground.crowded()
    case .placeOfAnotherIsRefusedAndMayBeTriedAgain: try await ground.taken()
    case .nobodyListensTwice: try await ground.twice()
    case .closeLeavesThePlace: try await ground.closed()
    case .fileIsTheOldPageOrTheNew: try ground.replaced()
    case .fileThatCannotBeReplacedStays: try ground.refused()
    case .whatIsNotConfiguredIsNotDone: try await ground.idle()
    }
  }
}

/// A machine to try the contract on: nothing listens yet, and there is no file.
package protocol MetricsGround: Sendable {
  /// This many are served at once.
  var capacity: Int { get }
  /// As the next agent finds it; false: with nothing configured.
  func restarted(configured: Bool) throws -> any MetricsPort
  /// What a scraper gets; nil: no page.
  func scrape() async throws -> [UInt8]?
  /// One more client connects, asks for nothing yet, and stays until `leave`.
  func sit() async throws
  /// All of them leave.
  func leave() throws
  /// Another program takes the metrics port or socket, and gives it back.
  func occupy() throws
  func vacate() throws
  /// Nil where there is none.
  func file() throws -> [UInt8]?
  /// Opens the file, and reads it once, when the returned function is called.
  func opened() throws -> () throws -> [UInt8]
  /// Every user may read it.
  func isForEveryone() throws -> Bool
  /// No page can be written any more, as on a full disk; false: it can again.
  func refuseWrites(_ isRefusing: Bool) throws
}

extension MetricsGround {
  private func expect<T: Equatable>(_ actual: T, is expected: T, _ what: String) throws {
    if actual != expected { throw ContractBreach("\(what): \(actual), not \(expected)") }
  }

  /// Pages of several packets, each of one letter.
  private func page(_ letter: UInt8) -> [UInt8] { Array(repeating: letter, count: 1 << 20) }

  /// A whole page, in short.
  private func scraped() async throws -> String {
    guard let bytes = try await scrape() else { return "none" }
    guard let letter = bytes.first, bytes == page(letter) else { return "\(bytes.count) bytes" }
    return String(UnicodeScalar(letter))
  }

  /// Waits for what takes another thread a moment.
  private func soon(_ what: String, is expected: String, _ body: () async throws -> String) async throws {
    var actual = try await body()
    for _ in 0..<1_000 where actual != expected {
      try await Task.sleep(for: .milliseconds(10))
      actual = try await body()
    }
    try expect(actual, is: expected, what)
  }

  private func serving(_ letter: UInt8) throws -> any MetricsPort {
    let port = try restarted(configured: true)
    let page = page(letter)
    try port.listen { page }
    return port
  }

  private func expectRefusal(_ what: String, _ body: () throws(StoreFailure) -> Void) throws {
    do throws(StoreFailure) { try body() } catch { return }
    throw ContractBreach("\(what) is not refused")
  }

  fileprivate func asked() async throws {
    try expect(try await scraped(), is: "none", "before anybody listens")
    let port = try restarted(configured: true)
    defer { port.close() }
    let turns = Turns()
    let pages = [page(UInt8(ascii: "a")), page(UInt8(ascii: "b"))]
    try port.listen { pages[await turns.next() % 2] }
    for letter in ["a", "b", "a"] { try expect(try await scraped(), is: letter, "asked again") }
  }

  fileprivate func slow() async throws {
    let port = try serving(UInt8(ascii: "a"))
    defer { port.close() }
    for _ in 1..<capacity { try await sit() }
    for _ in 0..<2 { try expect(try await scraped(), is: "a", "beside \(capacity - 1) who sit there") }
    try leave()
  }

  fileprivate func crowded() async throws {
    let port = try serving(UInt8(ascii: "a"))
    defer { port.close() }
    for _ in 0..<capacity { try await sit() }
    try expect(try await scraped(), is: "none", "beside \(capacity)")
    try leave()
    try await soon("after they left", is: "a", scraped)
  }

  fileprivate func taken() async throws {
    let port = try restarted(configured: true)
    defer { port.close() }
    let page = page(UInt8(ascii: "a"))
    try occupy()
    for _ in 0..<2 { try expectRefusal("another's place") { () throws(StoreFailure) in try port.listen { page } } }
    try vacate()
    try port.listen { page }
    try expect(try await scraped(), is: "a", "after the other went")
  }

  fileprivate func twice() async throws {
    let port = try serving(UInt8(ascii: "a"))
    defer { port.close() }
    let other = try restarted(configured: true)
    for one in [port, other] {
      try expectRefusal("a second listener") { () throws(StoreFailure) in try one.listen { [] } }
    }
    other.close()
    try expect(try await scraped(), is: "a", "after that")
  }

  fileprivate func closed() async throws {
    let port = try serving(UInt8(ascii: "a"))
    try expect(try await scraped(), is: "a", "open")
    port.close()
    port.close()
    try await soon("closed", is: "none", scraped)
    for letter in [UInt8(ascii: "b"), UInt8(ascii: "c")] {
      var next: (any MetricsPort)?
      try await soon("another listens", is: "true") {
        next = next ?? (try? serving(letter))
        return "\(next != nil)"
      }
      try expect(try await scraped(), is: String(UnicodeScalar(letter)), "of another")
      next?.close()
      try await soon("closed again", is: "none", scraped)
    }
  }

  fileprivate func replaced() throws {
    let port = try restarted(configured: true)
    try expect(try file(), is: nil, "before one is written")
    let pages = [page(UInt8(ascii: "a")), page(UInt8(ascii: "b"))]
    try port.write(pages[0])
    let read = try opened()
    try port.write(pages[1])
    try expect(try read() == pages[0], is: true, "who has opened the old page reads it to its end")
    try expect(try file() == pages[1], is: true, "the last page is there")
    try expect(try isForEveryone(), is: true, "everyone may read it")
  }

  fileprivate func refused() throws {
    let port = try restarted(configured: true)
    try port.write([1])
    try refuseWrites(true)
    for _ in 0..<2 { try expectRefusal("a page") { () throws(StoreFailure) in try port.write([2]) } }
    try expect(try file(), is: [1], "what is there meanwhile")
    try refuseWrites(false)
    try port.write([3])
    try expect(try file(), is: [3], "then")
  }

  fileprivate func idle() async throws {
    let port = try restarted(configured: false)
    try port.listen { [] }
    try port.write([1])
    try expect(try await scraped(), is: "none", "asked")
    try expect(try file(), is: nil, "written")
    port.close()
  }
}

private actor Turns {
  private var count = 0
  func next() -> Int {
    defer { count += 1 }
    return count
  }
}
