internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// What the router's resolver is told, and what it answers.
@Suite struct DomainTests {
  // MARK: The file

  @Test func noDomains() throws {
    #expect(lines(ResolverList([])) == [])
    #expect(ResolverList([]).text(table: "backhaul").hasPrefix("# Written by Backhaul"))
  }

  /// dnsmasq goes by the most specific line alone.
  @Test func aLineNamesTheSetsOfTheDomainsAbove() throws {
    let list = ResolverList([
      try rule("a", "example.com"), try rule("b", "www.example.com", "example.net"), try rule("c", "com"),
      try rule("d", "ww.example.com"),
    ])
    #expect(
      lines(list) == [
        "nftset=/www.example.com/4#inet#t#domains_a,4#inet#t#domains_b,4#inet#t#domains_c",
        "nftset=/example.com/4#inet#t#domains_a,4#inet#t#domains_c",
        "nftset=/ww.example.com/4#inet#t#domains_a,4#inet#t#domains_c,4#inet#t#domains_d",
        "nftset=/example.net/4#inet#t#domains_b", "nftset=/com/4#inet#t#domains_c",
      ])
  }

  /// The file is compared to see whether it changed.
  @Test func theOrderOfRulesDoesNotMatter() throws {
    let rules = [try rule("a", "x.example", "y.example"), try rule("b", "y.example", "example")]
    #expect(ResolverList(rules).text(table: "t") == ResolverList(rules.reversed()).text(table: "t"))
  }

  @Test func longLinesAreSplitAndEachDomainIsThereOnce() throws {
    let names = (0..<4_096).map { "a-name-that-is-long-enough-to-matter-\($0).example" }
    let list = ResolverList([try rule("a", names), try rule("b", Array(names.prefix(100)))])
    let lines = lines(list)
    #expect(lines.allSatisfy { $0.utf8.count <= ResolverList.longestLine })
    let found = lines.flatMap { $0.split(separator: "/").dropFirst().dropLast().map(String.init) }
    #expect(found.sorted() == names.sorted())
    #expect(lines.filter { $0.contains("domains_b") }.allSatisfy { $0.contains("domains_a,") })
    #expect(lines.count < 300)
  }

  @Test func namesOfSets() throws {
    let rule: Name = "video-1"
    #expect(EdgeCompiler.domainSet(of: rule) == "domains_video-1")
    #expect(EdgeCompiler.rule(ofDomainSet: "domains_video-1") == rule)
    for other in ["destinations_video", "domains_", "domains_Video", "domains", "direct"] {
      #expect(EdgeCompiler.rule(ofDomainSet: other) == nil)
    }
  }

  // MARK: Questions and answers

  @Test func aQuestionOnTheWire() throws {
    let question = DomainQuestion(number: 0x0102, domain: try domain("a.bc"))
    #expect(
      question.bytes == [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 97, 2, 98, 99, 0, 0, 1, 0, 1]
        + [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0])
  }

  @Test func anAnswerByAnAlias() throws {
    let question = DomainQuestion(number: 7, domain: try domain("www.example.com"))
    let alias: [UInt8] = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 99, 0xc0, 16]
    let answer = reply(question, records: [alias, a([192, 0, 2, 7]), a([192, 0, 2, 9]), a([192, 0, 2, 7])])
    #expect(question.answer(answer) == .addresses([0xc000_0207, 0xc000_0209].map { IPv4Address(value: $0) }))
    // Capitals do not matter; some resolvers play with them.
    var shouted = answer
    shouted[13] -= 32
    #expect(question.answer(shouted) == question.answer(answer))
  }

  /// They would take what never goes through the router.
  @Test func whatBlockersAnswerIsNoAddress() throws {
    let question = DomainQuestion(number: 7, domain: try domain("ads.example"))
    let blocked = [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255]].map { a($0.map(UInt8.init)) }
    #expect(question.answer(reply(question, records: blocked)) == .addresses([]))
  }

  @Test func whatIsNoAnswer() throws {
    let question = DomainQuestion(number: 7, domain: try domain("a.example"))
    let good = reply(question, records: [a([192, 0, 2, 7])])
    func changed(_ place: Int, _ byte: UInt8) -> [UInt8] {
      var bytes = good
      bytes[place] = byte
      return bytes
    }
    #expect(question.answer(changed(1, 8)) == nil, "another question's")
    #expect(question.answer(changed(2, 1)) == nil, "a question")
    #expect(question.answer(changed(13, 98)) == nil, "another name's")
    #expect(question.answer(changed(3, 2)) == .failed(code: 2))
    #expect(question.answer(changed(3, 5)) == .failed(code: 5))
    #expect(question.answer(reply(question, code: 3, records: [])) == .addresses([]), "no such name")
    for count in 0..<(12 + 15) { #expect(question.answer(Array(good.prefix(count))) == nil) }
  }

  /// Whatever comes, nothing traps, and nothing is found that is not there.
  @Test func hostileAnswers() throws {
    var dice = SeededRandom(seed: 18)
    let question = DomainQuestion(number: 7, domain: try domain("a.example"))
    let good = reply(question, records: (0..<8).map { a([192, 0, 2, UInt8($0)]) })
    for _ in 0..<20_000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...8, using: &dice) {
        bytes[Int.random(in: 2..<bytes.count, using: &dice)] = UInt8.random(in: 0 ... .max, using: &dice)
      }
      bytes.removeLast(Int.random(in: 0..<20, using: &dice))
      if case .addresses(let found)? = question.answer(bytes) { #expect(found.count <= DomainQuestion.mostAddresses) }
    }
    // Names that point at themselves, and records that claim more than there is.
    #expect(question.answer(good.prefix(27) + [0xc0, 27, 0, 1, 0, 1, 0, 0, 0, 0, 0xff, 0xff]) == .addresses([]))
    let many = (0..<1_000).map { a([192, 0, UInt8($0 >> 8), UInt8($0 & 0xff)]) }
    guard case .addresses(let found)? = question.answer(reply(question, records: many)) else {
      Issue.record("no answer")
      return
    }
    #expect(found.count == DomainQuestion.mostAddresses)
  }

  // MARK: By which names a destination was found

  @Test func aDomainCountsWhereEachOfItsRulesHasTheAddress() throws {
    let rules = [
      try rule("a", "x.example", "y.example"), try rule("b", "y.example"), try rule("c", "example"),
      try rule("d", "other.example"),
    ]
    func found(_ holding: String...) throws -> Set<DomainName> {
      LearntDomains.domains(rules, holding: Set(try holding.map { try #require(Name($0)) }))
    }
    #expect(try found("a", "c") == [try domain("x.example"), try domain("example")])
    #expect(try found("a", "b", "c") == Set(try ["x.example", "y.example", "example"].map(domain)))
    #expect(try found() == [])
    // What the kernel says and what the plain list says is the same, for sets as the resolver fills them.
    for name in ["x.example", "y.example", "z.y.example", "other.example", "example", "elsewhere"] {
      let asked = try domain(name)
      let holding = rules.filter { $0.match.domains.contains { $0.contains(asked) } }
      var packet = SteeredPacket(
        source: IPv4Address(value: 1), destination: IPv4Address(value: 2), lan: .loopback, protocol: .udp,
        dscp: .unmarked)
      packet.domains = LearntDomains.domains(rules, holding: Set(holding.map(\.name)))
      #expect(rules.filter { $0.match.takes(packet) } == holding, "\(name)")
    }
  }

  // MARK: Tools

  private func domain(_ text: String) throws -> DomainName { try #require(DomainName(text)) }
  private func rule(_ name: String, _ domains: String...) throws -> SteeringRule { try rule(name, domains) }
  private func rule(_ name: String, _ domains: [String]) throws -> SteeringRule {
    SteeringRule(
      name: try #require(Name(name)), match: SteeringMatch(domains: try domains.map(domain)), action: .direct)
  }
  private func lines(_ list: ResolverList) -> [String] {
    list.text(table: "t").split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
  }
  private func a(_ address: [UInt8]) -> [UInt8] { [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4] + address }
  private func reply(_ question: DomainQuestion, code: UInt8 = 0, records: [[UInt8]]) -> [UInt8] {
    let asked = question.bytes.dropFirst(12).dropLast(11)
    let header = [
      UInt8(question.number >> 8), UInt8(question.number & 0xff), 0x81, 0x80 | code, 0, 1, UInt8(records.count >> 8),
      UInt8(records.count & 0xff), 0, 0, 0, 0,
    ]
    return header + asked + records.flatMap { $0 }
  }
}
