/// Where jitter comes from: no two routers of a fleet shall pull in step.
package enum Chance {
  /// 0 up to but not including 1.
  package static func draw() -> Double { Double.random(in: 0..<1) }
}
