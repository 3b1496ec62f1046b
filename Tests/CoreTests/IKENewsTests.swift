internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

/// Events about charon and SAs, each reported once.
@Suite struct IKENewsTests {
  private var news = IKENews()

  private func kinds(_ events: [AgentEvent]) -> [AgentEvent.Kind] { events.map(\.kind) }

  @Test mutating func anOutageIsReportedOnceAndItsEndToo() {
    #expect(kinds(news.charonAnswered("strongSwan 5.9.8", complaints: ["x"])) == [.charonUp, .charonSettings])
    #expect(kinds(news.charonWent("closed", hasLasted: true)) == [.charonDown])
    #expect(news.charonIsSilent("refused") == [])
    #expect(kinds(news.charonAnswered("strongSwan 5.9.8", complaints: [])) == [.charonUp])
  }

  @Test mutating func aCharonThatComesAndGoesAtOnceIsReportedOnce() {
    _ = news.charonAnswered("v", complaints: [])
    #expect(kinds(news.charonWent("closed", hasLasted: true)) == [.charonDown])
    _ = news.charonAnswered("v", complaints: [])
    #expect(news.charonWent("closed", hasLasted: false) == [])
    #expect(kinds(news.charonWent("another reason", hasLasted: false)) == [.charonDown])
  }

  @Test mutating func whatIsMissingIsReportedOnceAndAgainAfterItWasThere() throws {
    let (a, b) = (try #require(Name("fra-a")), try #require(Name("fra-b")))
    #expect(kinds(news.inventory(missing: [a])) == [.driftRepaired])
    #expect(news.inventory(missing: [a]) == [])
    #expect(news.inventory(missing: []) == [])
    #expect(kinds(news.inventory(missing: [a, b])) == [.driftRepaired, .driftRepaired])
    #expect(kinds(news.unloadWasRefused("no")) == [.charonRefused])
    #expect(news.unloadWasRefused("no") == [])
  }

  @Test mutating func aWordIsTheSameUntilAnotherIsTrue() throws {
    var machine = try IKESample.machine(.connecting)
    let pending = news.judge(machine, at: at(0.1))
    #expect(pending.word == .pending)
    #expect(pending.events == [])
    #expect(news.judge(machine, at: at(0.2)).word == nil)
    machine.saw(IKESample.up(), at: at(1), chance: 0.5)
    let up = news.judge(machine, at: at(1))
    #expect(up.word == .up)
    #expect(kinds(up.events) == [.saUp])
    let before = machine.associations
    machine.saw(IKESample.up("192.0.2.2", 3), at: at(2), chance: 0.5)
    #expect(kinds(news.saw(machine.associations, of: machine.connection.tunnel, before: before)) == [.saRekeyed])
    #expect(news.saw(machine.associations, of: machine.connection.tunnel, before: machine.associations) == [])
  }

  @Test mutating func aTroubleIsReportedOnceUntilTheSAIsUp() throws {
    var machine = try IKESample.machine(.connecting)
    machine.refused("no such file", at: at(1), chance: 0.5)
    #expect(kinds(news.judge(machine, at: at(1)).events).filter { $0 == .saFailed }.count == 1)
    #expect(kinds(news.judge(machine, at: at(2)).events).filter { $0 == .saFailed } == [])
  }
}
