package import Agent
internal import Core

/// What every runner of hooks must do: each case is one promise, tried on the fake, on programs, and through the service.
package enum HookContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case nothingThereIsNothing
  case theyAreInAlphabeticOrder
  case whatOthersCouldHavePutThereIsRefused
  case howItEndedIsTold
  case whatItPrintsIsBoundedAndPlain
  case itGetsItsEnvironmentAlone
  case overItsTimeItIsEnded
  case whatIsNotThereIsNotStarted

  package var description: String { rawValue }

  package func check(on ground: some HookGround) async throws {
    switch self {
    case .nothingThereIsNothing: try ground.expect(try ground.port().hooks(), is: HookListing(), "an empty folder has")
    case .theyAreInAlphabeticOrder: try ground.order()
    case .whatOthersCouldHavePutThereIsRefused: try ground.flaws()
    case .howItEndedIsTold: try await ground.ends()
    case .whatItPrintsIsBoundedAndPlain: try await ground.output()
    case .itGetsItsEnvironmentAlone: try await ground.environment()
    case .overItsTimeItIsEnded: try await ground.time()
    case .whatIsNotThereIsNotStarted: try await ground.absence()
    }
  }
}

/// What a hook of the contract does.
package enum HookProgram: Sendable {
  case exits(Int32, printing: [String] = [])
  case dies(signal: Int32)
  case hangs
  /// Its variables, except those that a shell sets, one per line, in alphabetical order.
  case printsItsEnvironment
}

/// Why a hook must not be run.
package enum HookFlaw: CaseIterable, Sendable {
  case belongsToAnother, canBeWritten, isNotExecutable, isALink
}

/// A folder to try the contract on, empty.
package protocol HookGround: Sendable {
  func port() throws -> any HookPort
  func put(_ hook: String, _ program: HookProgram, _ flaw: HookFlaw?) throws
}

extension HookGround {
  fileprivate func expect<T: Equatable>(_ actual: T, is expected: T, _ what: String) throws {
    if actual != expected { throw ContractBreach("\(what): \(actual), not \(expected)") }
  }

  private func run(
    _ program: HookProgram, limit: Duration = .seconds(60), _ environment: [String] = []
  ) async throws -> HookOutcome {
    try put("hook", program, nil)
    let port = try port()
    while true {
      let outcome = await port.run("hook", environment: environment, limit: limit)
      // A child of another test holds the file open for writing until it has become another program.
      guard case .notStarted(let why) = outcome.end, why.contains("Text file busy") else { return outcome }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  fileprivate func order() throws {
    for hook in ["b", "a", "10-first", "C_c"] { try put(hook, .exits(0), nil) }
    try expect(try port().hooks(), is: HookListing(hooks: ["10-first", "C_c", "a", "b"]), "there are")
  }

  fileprivate func flaws() throws {
    try put("good", .exits(0), nil)
    for flaw in HookFlaw.allCases { try put("\(flaw)", .exits(0), flaw) }
    try put("good.dpkg-old", .exits(0), nil)
    let listing = try port().hooks()
    try expect(listing.hooks, is: ["good"], "may be run")
    let words: [HookFlaw: String] = [
      .belongsToAnother: "it belongs to user", .canBeWritten: "it can be written by others",
      .isNotExecutable: "it is not executable", .isALink: "it is a symbolic link",
    ]
    try expect(listing.refused.count, is: words.count, "so many are refused")
    for (flaw, word) in words where listing.refused["\(flaw)"]?.hasPrefix(word) != true {
      throw ContractBreach("\(flaw) is refused because \(listing.refused["\(flaw)"] ?? "of nothing")")
    }
  }

  fileprivate func ends() async throws {
    try expect(try await run(.exits(0)), is: HookOutcome(.exited(0)), "a run that goes well")
    try expect(
      try await run(.exits(3, printing: ["no route", "to the pager"])),
      is: HookOutcome(.exited(3), output: ["no route", "to the pager"]), "a run that fails")
    try expect(try await run(.dies(signal: 15)).end, is: .killed(signal: 15), "a run that is ended")
  }

  fileprivate func output() async throws {
    let lines = (1...12).map { String(repeating: "\($0 % 10)", count: 150 * ($0 % 2 + 1)) } + ["last"]
    let output = try await run(.exits(0, printing: ["a\u{1b}[31mb"] + lines)).output
    try expect(output, is: ["a [31mb"] + lines.prefix(9).map { String($0.prefix(200)) }, "what is kept of the output")
  }

  fileprivate func environment() async throws {
    let variables = ["BACKHAUL_EVENT=failover", "BACKHAUL_TEXT=a b = ü", "PATH=\(HookCall.path)"]
    try expect(
      try await run(.printsItsEnvironment, variables), is: HookOutcome(.exited(0), output: variables), "the environment"
    )
  }

  fileprivate func time() async throws {
    try expect(
      try await run(.hangs, limit: .milliseconds(300)), is: HookOutcome(.overTime), "a run that takes too long")
  }

  fileprivate func absence() async throws {
    let outcome = try await port().run("missing", environment: [], limit: .seconds(1))
    guard case .notStarted = outcome.end else { throw ContractBreach("a hook that is not there: \(outcome.end)") }
  }
}
