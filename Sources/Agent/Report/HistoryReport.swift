internal import Core
internal import RuleSets

/// One path's RTT and loss in buckets of a minute, oldest first. It starts when the agent began to watch the path and
/// goes back an hour at most.
package struct HistoryReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var path: String
  package var device: String
  package var state: String
  package var sinceSeconds: Double
  package var cause: String
  /// How many probes watch the path; each bucket counts all of them.
  package var probes: Int
  package var bucketSeconds = 60
  /// How long the last bucket, which is not over yet, has lasted.
  package var lastBucketSeconds: Double
  package var buckets: [Bucket]

  /// What one minute's probes brought. Round-trip times are in milliseconds.
  package struct Bucket: Codable, Equatable, Sendable {
    package var probes: Int
    package var lost: Int
    /// Null where nothing was answered.
    package var rttMinMs: Double?
    package var rttMeanMs: Double?
    package var rttMaxMs: Double?
  }
}

extension HistoryReport.Bucket {
  init(_ minute: PathHistory.Minute) {
    self.init(
      probes: minute.probes, lost: Int(minute.losses), rttMinMs: minute.leastRoundTrip?.milliseconds,
      rttMeanMs: minute.meanRoundTrip?.milliseconds, rttMaxMs: minute.mostRoundTrip?.milliseconds)
  }
}
