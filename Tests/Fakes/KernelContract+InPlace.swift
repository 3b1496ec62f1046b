import Agent
import Core
import Glibc
internal import RuleSets

/// The table that is there, changed in place.
extension KernelGround {
  /// Plans from the kernel's state, makes that one change, and finds the desired table.
  func changeInPlace(to table: NftTable, _ what: String) throws {
    let present = try read(expecting: table).nftTable
    let plan = Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: present))
    for step in plan.steps {
      switch step {
      case .changeNftTable, .changeSets: try kernel.apply(step)
      default: throw ContractBreach("\(what): \(PlanText(ranges).lines(step).prefix(3))")
      }
    }
    try expectTable(table, what)
  }

  func expectTable(_ table: NftTable, _ what: String) throws {
    // Twice: read whole, and known by its generation.
    for time in ["", ", read again"] {
      let present = try read(expecting: table).nftTable
      try expect(present?.frame, is: table.frame, "\(what)\(time)")
      let plan = Planner.plan(desired: DesiredState(nftTable: table), actual: ActualState(nftTable: present))
      try expect(plan.isEmpty, "\(what)\(time): \(PlanText(ranges).lines(plan).prefix(5))")
    }
  }

  /// Variants of the sample, each differing from the one before in another way.
  private func variants() throws -> [(String, NftTable)] {
    let sample = try sampleNftTable()
    var table = sample
    var all = [("the sample", sample)]
    func next(_ what: String, _ change: (inout NftTable) throws -> Void) rethrows {
      try change(&table)
      all.append((what, table))
    }
    let rule = { NftRule([.ipv4], [.count], comment: $0) }
    next("a rule at the end") { $0.chains[4].rules.append(rule("end")) }
    next("a rule at the beginning") { $0.chains[4].rules.insert(rule("begin"), at: 0) }
    next("rules in the middle") { $0.chains[4].rules.insert(contentsOf: [rule("a"), rule("b"), rule("a")], at: 5) }
    next("rules in another order") { $0.chains[4].rules.swapAt(3, 9) }
    next("two rules fewer") { $0.chains[4].rules.removeSubrange(4...5) }
    next("a chain that something leads to") {
      $0.chains.append(NftChain(name: "more", rules: [rule("more")]))
      $0.chains[1].rules.insert(NftRule([.ipv4], [.jump(chain: "more")]), at: 1)
    }
    try next("a map that leads to it") {
      $0.maps[2] = NftMap(
        name: "nothing", kind: .device, elements: [.init(.device(try Sample.device("lan0")), .goto(chain: "more"))])
      $0.chains[4].rules.append(NftRule([], [.choose(by: .incoming, map: "nothing")]))
    }
    try next("an element with another verdict") {
      $0.maps[2] = NftMap(
        name: "nothing", kind: .device, elements: [.init(.device(try Sample.device("lan0")), .jump(chain: "bind_wan0"))]
      )
    }
    next("the chain goes") {
      $0.chains.removeAll { $0.name == "more" }
      $0.chains[1].rules.remove(at: 1)
    }
    try next("another hook") {
      let index = try place(of: "arrive", in: $0)
      $0.chains[index].hook?.priority = -140
      $0.chains[index].rules = [rule("hooked")]
    }
    try next("a set, and a rule that asks it") {
      $0.sets.append(NftSet(name: "source_guests", ranges: [try Sample.range("192.168.20.0/24")]))
      $0.chains[1].rules.append(NftRule([.ipv4, .sourceIn(set: "source_guests")], [.count]))
    }
    try next("a set and rules at once") {
      $0.sets[0].ranges = [try Sample.range("10.0.0.0/9"), try Sample.range("198.18.0.0/15")]
      $0.chains[1].rules.removeFirst()
    }
    next("a map fewer") {
      $0.maps.removeAll { $0.name == "nothing" }
      $0.chains[4].rules.removeLast()
    }
    all.append(("back to the sample", sample))
    return all
  }

  private func place(of chain: String, in table: NftTable) throws -> Int {
    guard let index = table.chains.firstIndex(where: { $0.name == chain }) else { throw ContractBreach(chain) }
    return index
  }

  func changedInPlace() throws {
    try apply([.replaceNftTable(try sampleNftTable())])
    for (what, table) in try variants() + variants().reversed() { try changeInPlace(to: table, what) }
  }

  func countersSurvive() throws {
    let counting = NftRule([.ipv4], [.count], comment: "counts")
    func watched(_ table: NftTable) throws -> NftTable {
      var table = table
      let index = try place(of: "own", in: table)
      table.chains[index].rules.insert(counting, at: 0)
      table.chains[index].rules.append(counting)
      return table
    }
    try apply([.replaceNftTable(try watched(try sampleNftTable()))])
    try sendToItself(4)
    let counted = try sight.counted(in: ["own"]).packets["own"] ?? 0
    try expect(counted >= 8, "\(counted) packets were counted by two rules")
    for (what, table) in try variants() {
      var table = try watched(table)
      // Rules beside those that count.
      let index = try place(of: "own", in: table)
      table.chains[index].rules.insert(NftRule([.ipv6], [.return], comment: what), at: 1)
      table.chains[index].rules.insert(NftRule([.ipv6], [.return], comment: "\(what), again"), at: 0)
      try changeInPlace(to: table, what)
      let now = try sight.counted(in: ["own"]).packets["own"] ?? 0
      try expect(now >= counted, "\(what): \(now) packets, there were \(counted)")
    }
  }

  private func expectNoSet(_ name: String) throws {
    do throws(KernelFailure) { _ = try fedSets.held(by: name) } catch {
      return try expect(error.errno, is: ENOENT, "errno of \(error)")
    }
    throw ContractBreach("there is a set \(name)")
  }

  func fedSetStays() throws {
    guard let address = IPv4Address("198.51.100.7"), let other = IPv4Address("198.51.100.9") else {
      throw ContractBreach("no address")
    }
    try expectNoSet("domain_cdn")
    func feeding(_ table: NftTable) -> NftTable {
      var table = table
      table.sets.append(.fed("domain_cdn"))
      table.chains[1].rules.append(NftRule([.ipv4, .destinationIn(set: "domain_cdn")], [.count]))
      return table
    }
    try apply([.replaceNftTable(feeding(try sampleNftTable()))])
    try expect(try fedSets.held(by: "domain_cdn"), is: [], "new")
    try feed("domain_cdn", address)
    try fedSets.add([other], to: "domain_cdn")
    // Renewed, with one that is new.
    try fedSets.add([address, other], to: "domain_cdn")
    try expectTable(feeding(try sampleNftTable()), "what is in it is nobody's affair")
    func expectFed(_ what: String) throws {
      try expect(try fedSets.held(by: "domain_cdn"), is: [address, other], "\(what): what others put into it")
    }
    for (what, table) in try variants() {
      try changeInPlace(to: feeding(table), what)
      try expectFed(what)
    }
    try apply([.replaceNftTable(feeding(try sampleNftTable()))])
    try expectTable(feeding(try sampleNftTable()), "replaced")
    try expectFed("replaced")
    try changeInPlace(to: try sampleNftTable(), "without it")
    try expect(try read().nftTable?.sets.contains { $0.name == "domain_cdn" } == false, "it goes where nobody wants it")
    // A set of ranges with its name is another.
    var ranged = feeding(try sampleNftTable())
    ranged.sets[ranged.sets.count - 1] = NftSet(name: "domain_cdn", ranges: [7...9])
    try apply([.replaceNftTable(ranged)])
    try apply([.replaceNftTable(feeding(try sampleNftTable()))])
    try expectTable(feeding(try sampleNftTable()), "in place of a set of ranges")
    try expect(try fedSets.held(by: "domain_cdn"), is: [], "made anew")
  }

  /// By hand, because our planner never makes them. A refused transaction is refused as a whole.
  private func expectRefused(_ edits: [NftEdit], with errno: Int32, _ what: String) throws {
    guard let present = try read(expecting: try sampleNftTable()).nftTable else { throw ContractBreach("no table") }
    let more = NftEdit.addSet(NftSet(name: "unwanted", ranges: []))
    try expect(.changeNftTable(NftChange(to: present, by: [more] + edits)), failsWith: errno)
    try expectTable(try sampleNftTable(), what)
  }

  func busyChain() throws {
    try apply([.replaceNftTable(try sampleNftTable())])
    try expectRefused([.flushChain("steer"), .deleteChain("steer")], with: EBUSY, "a rule leads to it")
    try expectRefused([.flushChain("bind_wan0"), .deleteChain("bind_wan0")], with: EBUSY, "a map leads to it")
  }

  func busySet() throws {
    try apply([.replaceNftTable(try sampleNftTable())])
    try expectRefused([.deleteSet("direct")], with: EBUSY, "rules ask it")
    try expectRefused([.deleteMap("way_of")], with: EBUSY, "rules ask it")
  }

  func missingRule() throws {
    try apply([.replaceNftTable(try sampleNftTable())])
    let nowhere = NftHandle(1_000_000)
    try expectRefused([.deleteRule(chain: "steer", nowhere)], with: ENOENT, "there is no such rule")
    let rule = NftRule([.ipv4], [.count])
    try expectRefused([.addRule(rule, chain: "steer", before: nowhere)], with: ENOENT, "nor before it")
    try expectRefused([.addRule(rule, chain: "nowhere", before: nil)], with: ENOENT, "nor such a chain")
  }

  func sharedCounter() throws {
    func counting(_ names: [String]) throws -> NftTable {
      var table = try sampleNftTable()
      table.counters = names
      let index = try place(of: "own", in: table)
      table.chains[index].rules.insert(contentsOf: names.map { NftRule([.ipv4], [.countIn($0)]) }, at: 0)
      return table
    }
    try apply([.replaceNftTable(try counting(["office"]))])
    try expectTable(try counting(["office"]), "made")
    try sendToItself(4)
    let counted = try counted(by: "office")
    try expect(counted >= 4, "\(counted) packets were counted")
    try changeInPlace(to: try counting(["guests", "office"]), "another")
    try changeInPlace(to: try counting(["office"]), "without it")
    var moved = try counting(["office"])
    let index = try place(of: "own", in: moved)
    moved.chains[index].rules[0].comment = "another rule"
    try changeInPlace(to: moved, "its rule is another")
    let now = try self.counted(by: "office")
    try expect(now >= counted, "\(now) packets, there were \(counted)")
    try changeInPlace(to: try sampleNftTable(), "none")
  }
}
