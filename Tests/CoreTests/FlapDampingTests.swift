internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

@Suite struct FlapDampingTests {
  private let damping = FlapDamping(halfLife: .seconds(60))

  @Test func twoFallsAreForgiven() {
    #expect(damping.suppressed(falls: [], at: at(0)) == nil)
    #expect(damping.suppressed(falls: [at(0)], at: at(0)) == nil)
    #expect(damping.suppressed(falls: [at(0), at(1)], at: at(1)) == nil)
  }

  @Test func threeFallsKeepAPathOutForAMinuteAndAHalf() throws {
    let falls = [at(0), at(1), at(2)]
    let until = try #require(damping.suppressed(falls: falls, at: at(2)))
    // Slightly less than 3,000 decays to 1,000 in log2(3) half-lives.
    #expect(abs((until - at(2)).inSeconds - 94.1) < 1)
    #expect(damping.suppressed(falls: falls, at: until + .milliseconds(1)) == nil)
    #expect(damping.suppressed(falls: falls, at: at(50)) == until, "the answer does not depend on when it is asked")
  }

  @Test func rareFallsAreNeverDamped() {
    let falls = (0..<12).map { at(Double($0) * 60) }
    for fall in falls { #expect(damping.suppressed(falls: falls, at: fall) == nil) }
  }

  @Test func aFallMeanwhileProlongsIt() throws {
    let three = try #require(damping.suppressed(falls: [at(0), at(1), at(2)], at: at(2)))
    let four = try #require(damping.suppressed(falls: [at(0), at(1), at(2), at(80)], at: at(80)))
    #expect(four > three)
  }

  @Test func nothingWaitsLongerThanThreeHalfLives() throws {
    let falls = (0..<12).map { at(Double($0)) }
    let until = try #require(damping.suppressed(falls: falls, at: at(11)))
    #expect((until - at(11)).inSeconds < 181)
  }

  @Test func zeroSwitchesItOff() {
    let off = FlapDamping(halfLife: .zero)
    #expect(off.suppressed(falls: (0..<12).map { at(Double($0)) }, at: at(11)) == nil)
  }
}
