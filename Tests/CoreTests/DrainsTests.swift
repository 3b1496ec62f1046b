import Core
internal import RuleSets
import Testing

@Suite struct DrainsTests {
  private let start = Instant(nanoseconds: 1_000_000_000)

  private func path(_ text: String) throws -> RuleSelection.Choice { .path(try #require(Name(text))) }

  @Test func `without a limit a way drains until it is over`() throws {
    let b = try path("b")
    var drains = Drains()
    drains.left(b, limit: .zero, at: start)
    #expect(drains.nextDeadline == nil)
    #expect(drains.timePassed(to: start + .seconds(1_000_000)).isEmpty)
    #expect(drains.ended(b)?.since == start)
    #expect(drains.ended(b) == nil)
    #expect(drains.all.isEmpty)
  }

  @Test func `several ways drain at once, each to its own limit`() throws {
    let (b, c) = (try path("b"), RuleSelection.Choice.localWAN(try #require(InterfaceName("wan0"))))
    var drains = Drains()
    drains.left(c, limit: .seconds(10), at: start)
    drains.left(b, limit: .seconds(10), at: start + .seconds(4))
    #expect(drains.all.map(\.way) == [c, b])
    #expect(drains.nextDeadline == start + .seconds(10))
    #expect(drains.timePassed(to: start + .seconds(9)).isEmpty)
    #expect(drains.timePassed(to: start + .seconds(10)).map(\.way) == [c])
    #expect(drains.nextDeadline == start + .seconds(14))
    #expect(drains.timePassed(to: start + .seconds(60)).map(\.way) == [b])
    #expect(drains.nextDeadline == nil)
  }

  @Test func `a way that is chosen again and left again starts over`() throws {
    let b = try path("b")
    var drains = Drains()
    drains.left(b, limit: .seconds(10), at: start)
    #expect(drains.ended(b)?.until == start + .seconds(10))
    #expect(drains.timePassed(to: start + .seconds(10)).isEmpty)
    drains.left(b, limit: .seconds(10), at: start + .seconds(20))
    // Left twice without a return: the later event counts.
    drains.left(b, limit: .seconds(10), at: start + .seconds(25))
    #expect(drains.all.count == 1)
    #expect(drains.nextDeadline == start + .seconds(35))
  }

  @Test func `another limit counts from when the way was left`() throws {
    let b = try path("b")
    var drains = Drains()
    drains.left(b, limit: .zero, at: start)
    drains.limitChanged(to: .seconds(30))
    #expect(drains.nextDeadline == start + .seconds(30))
    drains.limitChanged(to: .seconds(5))
    #expect(drains.timePassed(to: start + .seconds(7)).map(\.way) == [b], "over already")
    drains.left(b, limit: .seconds(5), at: start)
    drains.limitChanged(to: .zero)
    #expect(drains.nextDeadline == nil)
  }
}
