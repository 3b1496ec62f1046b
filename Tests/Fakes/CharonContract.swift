import Agent
import Core
internal import RuleSets

/// What every charon port must do: each case is one promise, tried on the fake and on a real charon.
package enum CharonContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case nothingOfOursInAFreshCharon
  case everyKindOfConnectionIsTaken
  case loadingTwiceIsFine
  case aChangedConnectionTakesTheOldOnesPlace
  case secretsThatCannotBeUsedAreRefusedAndNotTold
  case whatCharonDoesNotOfferIsRefused
  case initiatingWhatIsNotLoadedIsRefused
  case anSAThatIsBegunIsSeenAndEnds
  case unloadingForgets
  case whatIsNotThereCanGo
  case foreignConnectionsAreNeitherToldOfNorChanged
  case whatAnotherTakesAwayIsMissing
  case theEndIsToldAndNothingWorksUntilTheNextConnection
  case connectingAnewIsFine

  package var description: String { rawValue }

  package func check(on ground: some CharonGround) async throws {
    switch self {
    case .nothingOfOursInAFreshCharon: try await ground.nothingOfOurs()
    case .everyKindOfConnectionIsTaken: try await ground.everyKind()
    case .loadingTwiceIsFine: try await ground.loadTwice()
    case .aChangedConnectionTakesTheOldOnesPlace: try await ground.loadChanged()
    case .secretsThatCannotBeUsedAreRefusedAndNotTold: try await ground.badSecrets()
    case .whatCharonDoesNotOfferIsRefused: try await ground.badProposal()
    case .initiatingWhatIsNotLoadedIsRefused: try await ground.initiateNothing()
    case .anSAThatIsBegunIsSeenAndEnds: try await ground.initiateAndTerminate()
    case .unloadingForgets: try await ground.unloadForgets()
    case .whatIsNotThereCanGo: try await ground.unloadNothing()
    case .foreignConnectionsAreNeitherToldOfNorChanged: try await ground.foreignLeftAlone()
    case .whatAnotherTakesAwayIsMissing: try await ground.takenAway()
    case .theEndIsToldAndNothingWorksUntilTheNextConnection: try await ground.endAndComeBack()
    case .connectingAnewIsFine: try await ground.connectTwice()
    }
  }
}

extension CharonGround {
  private func connect() async throws { _ = try await charon.connect { _ in } }

  private func expectLoaded(_ tunnels: Set<Name>) async throws {
    try expect(try await charon.holdings(), is: CharonHoldings(connections: tunnels), "what charon holds")
  }

  func nothingOfOurs() async throws {
    let identity = try await charon.connect { _ in }
    try expect(!identity.version.isEmpty, "it does not say who it is")
    try await expectLoaded([])
    try expect(try await charon.associations(of: nil), is: [:], "SAs")
    try expect(try await charon.associations(of: Sample.tunnel("fra-a")), is: [:], "SAs of one tunnel")
  }

  func everyKind() async throws {
    try await connect()
    var all: [IKEConnection] = []
    for kind in CharonSecret.allCases where kind.isGood {
      var connection = try await connection("\(kind)", kind)
      all.append(connection)
      connection.tunnel = try Sample.tunnel("\(kind)-gre")
      connection.mode = .transport(protocol: 47)
      (connection.isAlwaysInUDP, connection.sharesIDs) = (true, true)
      connection.reauthentication = .seconds(7_200)
      all.append(connection)
    }
    for connection in all { try await charon.apply(.load(connection)) }
    try await expectLoaded(Set(all.map(\.tunnel)))
  }

  func loadTwice() async throws {
    try await connect()
    for kind in CharonSecret.allCases where kind.isGood {
      let connection = try await connection("\(kind)", kind)
      for _ in 1...2 { try await charon.apply(.load(connection)) }
    }
    try await expectLoaded([try Sample.tunnel("psk"), try Sample.tunnel("certificate")])
  }

  func loadChanged() async throws {
    try await connect()
    var connection = try await connection()
    try await charon.apply(.load(connection))
    connection.local = try Sample.address("192.0.2.77")
    connection.credentials = try await credentials(.certificate)
    connection.mode = .transport(protocol: 4)
    try await charon.apply(.load(connection))
    try await expectLoaded([connection.tunnel])
    connection.credentials = try await credentials(.psk)
    try await charon.apply(.load(connection))
    try await expectLoaded([connection.tunnel])
  }

  func badSecrets() async throws {
    try await connect()
    for kind in CharonSecret.allCases where !kind.isGood {
      let failure = try await refusal(of: .load(connection("\(kind)".lowercased(), kind)))
      try expect(!failure.cause.isEmpty, "\(kind): nothing says why")
    }
    try await expectLoaded([])
    try await charon.apply(.load(connection()))
  }

  func badProposal() async throws {
    try await connect()
    var connection = try await connection()
    connection.ikeProposals = [try await lackedProposal()]
    let failure = try await refusal(of: .load(connection))
    try expect(failure.operation.contains("backhaul-fra-a"), "\(failure) does not say of what")
    try await expectLoaded([])
  }

  func initiateNothing() async throws {
    try await connect()
    let name = try Sample.tunnel("fra-a")
    let failure = try await refusal(of: .initiate(name))
    try expect(failure.cause.contains("not found"), "\(failure) does not say why")
    let loaded = try await connection("ams")
    try await charon.apply(.load(loaded))
    try await refusal(of: .initiate(name))
  }

  func initiateAndTerminate() async throws {
    try await connect()
    let connection = try await connection()
    try await charon.apply(.load(connection))
    // Nothing is at the other end.
    try await charon.apply(.initiate(connection.tunnel))
    try await eventually("an SA is begun") { all in
      guard let ike = all[connection.tunnel]?.ike, ike.isConnecting else { return false }
      return ike.local == connection.local && all[connection.tunnel]?.child == nil && all.count == 1
    }
    try expect(try await charon.associations(of: Sample.tunnel("ams")), is: [:], "SAs of another tunnel")
    try await charon.apply(.terminate(connection.tunnel))
    try await eventually("the SA is ended") { $0.isEmpty }
    try await expectLoaded([connection.tunnel])
  }

  /// Asks until it is so; the test that runs the contract limits the time.
  private func eventually(_ what: String, _ holds: ([Name: TunnelAssociations]) -> Bool) async throws {
    while !holds(try await charon.associations(of: nil)) {
      if Task.isCancelled { throw ContractBreach("never: \(what)") }
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  func unloadForgets() async throws {
    try await connect()
    for kind in CharonSecret.allCases where kind.isGood {
      let connection = try await connection("\(kind)", kind)
      let other = try await self.connection("other", kind)
      try await charon.apply(.load(connection))
      try await charon.apply(.load(other))
      try await charon.apply(.initiate(connection.tunnel))
      try await charon.apply(.unload(connection.tunnel))
      try await eventually("the SA is ended") { $0.isEmpty }
      // With its own key, which may be the same.
      try await expectLoaded([other.tunnel])
      try await charon.apply(.unload(other.tunnel))
      try await expectLoaded([])
    }
  }

  func unloadNothing() async throws {
    try await connect()
    let name = try Sample.tunnel("fra-a")
    for _ in 1...2 {
      try await charon.apply(.terminate(name))
      try await charon.apply(.unload(name))
    }
    try await charon.apply(.load(connection()))
    try await charon.apply(.terminate(name))
    try await expectLoaded([name])
  }

  func foreignLeftAlone() async throws {
    // The third resembles ours as closely as another client's can.
    let names = ["site-to-site", "fra-a", "backhaul", "backhaul-", "Backhaul-fra-a", "backhaul-No Name"]
    var before: [String?] = []
    for name in names { try await addForeign(name) }
    for name in names { before.append(try await foreign(name)) }
    try expect(before.allSatisfy { $0 != nil }, "the foreign ones are not there: \(before)")
    try await connect()
    try await expectLoaded([])
    for name in ["site-to-site", "fra-a"] {
      let connection = try await connection(name)
      try await charon.apply(.load(connection))
      try await expectLoaded([connection.tunnel])
      for step in [IKEStep.terminate(connection.tunnel), .unload(connection.tunnel)] { try await charon.apply(step) }
    }
    var after: [String?] = []
    for name in names { after.append(try await foreign(name)) }
    try expect(after, is: before, "the foreign ones")
  }

  func takenAway() async throws {
    try await connect()
    for kind in CharonSecret.allCases where kind.isGood {
      let connection = try await connection("\(kind)", kind)
      try await charon.apply(.load(connection))
      try await takeSecrets(of: connection.tunnel)
      try expect(
        try await charon.holdings(),
        is: CharonHoldings(connections: [connection.tunnel], withoutCredentials: [connection.tunnel]), "\(kind)")
      try await charon.apply(.load(connection))
      try await expectLoaded([connection.tunnel])
      try await takeConnection(of: connection.tunnel)
      try await expectLoaded([])
      try await charon.apply(.load(connection))
      try await expectLoaded([connection.tunnel])
      try await charon.apply(.unload(connection.tunnel))
    }
  }

  func endAndComeBack() async throws {
    let events = CharonEvents()
    _ = try await charon.connect(events.handler)
    let connection = try await connection()
    try await charon.apply(.load(connection))
    try await end()
    try expect(await events.end() != nil, "nobody told of the end")
    try await refusal(of: .load(connection), isGone: true)
    do {
      try await self.connect()
      throw ContractBreach("it answers, but has ended")
    } catch let failure as CharonFailure {
      try expect(failure.isGone, "\(failure) does not say that nobody is there")
    }
    try await start()
    try await refusal(of: .load(connection), isGone: true)
    try await self.connect()
    try await expectLoaded([])
    try await charon.apply(.load(connection))
    try await expectLoaded([connection.tunnel])
  }

  func connectTwice() async throws {
    let first = CharonEvents()
    _ = try await charon.connect(first.handler)
    try await charon.apply(.load(connection()))
    let second = CharonEvents()
    _ = try await charon.connect(second.handler)
    try await expectLoaded([try Sample.tunnel("fra-a")])
    try await end()
    try expect(await second.end() != nil, "who connected last is not told of the end")
  }
}
