package import Agent
internal import Core
internal import RuleSets

/// What every store of forced paths must do: each case is one promise, tried on the fake and on files.
package enum ForceContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case nothingSavedIsNothing
  case whatWasSavedLastIsLoaded
  case damageIsTold
  case whatIsSetAsideIsGoneAndKept
  case damageIsReplacedByTheNextSave
  case crashInASaveLeavesTheOld

  package var description: String { rawValue }

  package func check(on ground: some ForceGround) throws {
    switch self {
    case .nothingSavedIsNothing: try ground.nothing()
    case .whatWasSavedLastIsLoaded: try ground.saved()
    case .damageIsTold: try ground.damaged()
    case .whatIsSetAsideIsGoneAndKept: try ground.aside()
    case .damageIsReplacedByTheNextSave: try ground.replaced()
    case .crashInASaveLeavesTheOld: try ground.crashed()
    }
  }
}

/// A disk to try the contract on, empty.
package protocol ForceGround: Sendable {
  /// The store as the next agent finds it.
  func restarted() throws -> any ForceStore
  /// Spoils what was saved.
  func damage() throws
  /// What a crash in the middle of a save leaves behind.
  func crashWhileSaving() throws
  /// There is a file at the place that `setAside` named.
  func isThere(_ place: String) throws -> Bool
}

extension ForceGround {
  private func expect<T: Equatable>(_ actual: T, is expected: T, _ what: String) throws {
    if actual != expected { throw ContractBreach("\(what): \(actual), not \(expected)") }
  }

  private func name(_ text: String) throws -> Name {
    guard let name = Name(text) else { throw ContractBreach("no name: \(text)") }
    return name
  }

  private func some() throws -> [Name: ForcedPaths.Entry] {
    let time = WallTime(milliseconds: 1_785_585_600_123)
    return [
      try name("fra-a"): .init(
        .down, since: time, until: WallTime(milliseconds: 1_785_592_800_123), user: 0, reason: "\"line\" \\ ü 😀"),
      try name("ams-a"): .init(.up, since: time, until: nil, user: 1_000, reason: nil),
      try name("empty"): .init(.up, since: time, until: nil, user: .max, reason: ""),
    ]
  }

  fileprivate func nothing() throws { try expect(try restarted().load(), is: [:], "loaded") }

  fileprivate func saved() throws {
    let some = try some()
    try restarted().save(some)
    try expect(try restarted().load(), is: some, "loaded")
    let one = try some.filter { $0.key == (try name("ams-a")) }
    try restarted().save(one)
    try expect(try restarted().load(), is: one, "loaded after another save")
    try restarted().save([:])
    try expect(try restarted().load(), is: [:], "loaded after a save of nothing")
  }

  private func expectDamage() throws {
    let store = try restarted()
    do throws(StoreFailure) { _ = try store.load() } catch { return }
    throw ContractBreach("damage is not told")
  }

  fileprivate func damaged() throws {
    try restarted().save(try some())
    try damage()
    try expectDamage()
    // Reading it does not repair it.
    try expectDamage()
  }

  fileprivate func aside() throws {
    for _ in 0..<2 {
      try restarted().save(try some())
      try damage()
      let place = try restarted().setAside()
      try expect(try isThere(place), is: true, "it is there at \(place)")
      try expect(try restarted().load(), is: [:], "loaded after it was set aside")
    }
    let store = try restarted()
    do throws(StoreFailure) { _ = try store.setAside() } catch { return }
    throw ContractBreach("nothing was set aside")
  }

  fileprivate func replaced() throws {
    let some = try some()
    try restarted().save(some)
    try damage()
    try restarted().save(some)
    try expect(try restarted().load(), is: some, "loaded")
  }

  fileprivate func crashed() throws {
    let some = try some()
    try restarted().save(some)
    try crashWhileSaving()
    try expect(try restarted().load(), is: some, "loaded after the crash")
    try restarted().save([:])
    try expect(try restarted().load(), is: [:], "loaded after the next save")
  }
}
