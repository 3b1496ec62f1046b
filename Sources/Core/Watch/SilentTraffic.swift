package import RuleSets

/// Whether a device sends and gets nothing back. Only a hint, which probes confirm: some traffic goes one way for ever.
///
/// Answers of probes are few and small; they too end a silence, but only answers to traffic make the next hint come as
/// fast as the first. So one-way traffic costs a handful of probes and not one a second.
package struct SilentTraffic: Equatable, Sendable {
  /// Less leaves a tunnel without anybody waiting for an answer.
  package static let leastBytes: UInt64 = 2_000
  /// Samples come about this often.
  package static let period: Duration = .seconds(1)
  private static let tolerance: Duration = .milliseconds(100)
  private static let longestPatience: Duration = .seconds(64)
  /// An answer or two of a probe.
  private static let bytesOfProbes: UInt64 = 300

  private struct Sample: Equatable, Sendable {
    var bytesIn: UInt64
    var bytesOut: UInt64
    var taken: Instant
  }

  /// When something last came in, according to the samples.
  private var heard: Sample?
  private var patience = Self.period

  package init() {}

  /// Takes a sample of the device's counters. True if too much has left it without an answer.
  package mutating func counted(bytesIn: UInt64, bytesOut: UInt64, at now: Instant) -> Bool {
    let sample = Sample(bytesIn: bytesIn, bytesOut: bytesOut, taken: now)
    // A device that was recreated counts from 0.
    guard let heard, heard.bytesIn <= bytesIn, heard.bytesOut <= bytesOut else {
      heard = sample
      patience = Self.period
      return false
    }
    guard heard.bytesIn == bytesIn else {
      if bytesIn - heard.bytesIn > Self.bytesOfProbes { patience = Self.period }
      self.heard = sample
      return false
    }
    // Nobody sends: what was sent before is answered or forgotten.
    guard bytesOut - heard.bytesOut >= Self.leastBytes, now - heard.taken + Self.tolerance >= patience else {
      return false
    }
    self.heard = sample
    patience = min(patience * 2, Self.longestPatience)
    return true
  }
}
