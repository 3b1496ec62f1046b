import Core
internal import RuleSets
import Testing

@Suite struct ForcedPathsTests {
  private let start = Instant(nanoseconds: 1_000_000_000_000)
  private let noon = WallTime(secondsSince1970: 1_785_585_600)

  private func name(_ text: String) throws -> Name { try #require(Name(text)) }
  private func entry(_ force: PathHealth.Force = .down, seconds: Double? = nil) -> ForcedPaths.Entry {
    ForcedPaths.Entry(
      force, since: noon, until: seconds.map { WallTime(secondsSince1970: noon.secondsSince1970 + $0) }, user: 0,
      reason: nil)
  }

  @Test func `a force without an end stays until it is cleared`() throws {
    let a = try name("a")
    var forces = ForcedPaths()
    forces.forced(a, entry(), for: nil, at: start)
    #expect(forces.force(of: a) == .down)
    #expect(forces.nextDeadline == nil)
    #expect(forces.timePassed(to: start + .seconds(1_000_000)).isEmpty)
    #expect(forces.takenBack(a) == entry())
    #expect(forces.takenBack(a) == nil)
    #expect(forces.entries.isEmpty)
  }

  @Test func `forces with an end expire in order, and the latest order counts`() throws {
    let (a, b) = (try name("a"), try name("b"))
    var forces = ForcedPaths()
    forces.forced(a, entry(seconds: 10), for: .seconds(10), at: start)
    forces.forced(b, entry(seconds: 20), for: .seconds(20), at: start)
    #expect(forces.nextDeadline == start + .seconds(10))
    #expect(forces.timePassed(to: start + .seconds(9)).isEmpty)
    #expect(forces.timePassed(to: start + .seconds(10)).map(\.path) == [a])
    forces.forced(b, entry(.up), for: nil, at: start + .seconds(11))
    #expect(forces.nextDeadline == nil, "the end of the word before is no more")
    #expect(forces.timePassed(to: start + .seconds(60)).isEmpty)
    #expect(forces.force(of: b) == .up)
  }

  @Test(arguments: [(0, 7_200), (3_600, 3_600), (7_199, 1), (-31_536_000, 7_200)] as [(Double, Int64)])
  func `after a restart the wall clock decides how much time is left, never more than was given`(
    _ passed: Double, _ left: Int64
  ) throws {
    let time = WallTime(secondsSince1970: noon.secondsSince1970 + passed)
    let forces = ForcedPaths([try name("a"): entry(seconds: 7_200)], at: start, time)
    #expect(forces.nextDeadline == start + .seconds(left))
  }

  @Test func `forces that expired while the agent was away are gone, those without an end are not`() throws {
    let (a, b) = (try name("a"), try name("b"))
    let time = WallTime(secondsSince1970: noon.secondsSince1970 + 60)
    let forces = ForcedPaths([a: entry(seconds: 60), b: entry(.up)], at: start, time)
    #expect(forces.entries == [b: entry(.up)])
    // One that claims to end before it began.
    #expect(ForcedPaths([a: entry(seconds: -5)], at: start, noon).entries.isEmpty)
  }

  @Test func `the number of forced paths is limited, but each can always be changed`() throws {
    var forces = ForcedPaths()
    for number in 0..<ForcedPaths.capacity {
      let path = try name("p\(number)")
      #expect(forces.hasRoom(for: path))
      forces.forced(path, entry(), for: nil, at: start)
    }
    #expect(!forces.hasRoom(for: try name("more")))
    #expect(forces.hasRoom(for: try name("p7")))
  }

  @Test func `a forced path has the forced state, unless its device cannot carry traffic`() throws {
    var health = PathHealth(at: start)
    _ = health.judge(PathEvidence(obstacle: nil, probes: [], force: .down), at: start)
    #expect(health.state == .disabled)
    #expect(health.isDead)
    _ = health.judge(PathEvidence(obstacle: nil, probes: [], force: .up), at: start)
    #expect(health.state == .up)
    #expect(health.isForcedUp)
    _ = health.judge(PathEvidence(obstacle: "bh-a does not exist", probes: [], force: .up), at: start)
    #expect(health.state == .down)
    #expect(!health.isForcedUp)
    #expect(health.cause == "bh-a does not exist")
  }
}
