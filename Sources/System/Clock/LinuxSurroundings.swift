internal import Agent
internal import Core
package import RuleSets

/// The clocks and the chance of the real world.
package struct LinuxSurroundings: Surroundings {
  package init() {}
  package var now: Instant { MonotonicClock.now }
  package var wallTime: WallTime { WallClock.now }
  package var chance: Double { Chance.draw() }
}
