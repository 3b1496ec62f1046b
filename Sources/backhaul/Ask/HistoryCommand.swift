internal import Agent
internal import ArgumentParser

struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "A path's round trips and losses over the last hour, drawn minute by minute.",
    discussion: """
      Covers all of the path's probes since the agent began to watch it; a restart of the agent starts over. A minute in \
      which nothing was answered is drawn as ×, one without a probe as ·. The rightmost minute is not over yet.
      """)

  @Argument(help: "The path, as backhaul paths names it.")
  var path: String

  @OptionGroup var options: QuestionOptions
  @OptionGroup var repeating: RepeatOptions

  func run() throws {
    var request = LocalAPI.Request(.history)
    request.path = path
    try ask(request, options, repeating, as: HistoryReport.self) { Self.lines($0, colours: Terminal.takesColours) }
  }

  static func lines(_ report: HistoryReport, colours: Bool = false) -> [String] {
    let head =
      "path \(report.path): \(report.state) for \(Words.age(report.sinceSeconds)) on \(report.device): \(report.cause)"
    guard report.probes > 0 else { return [Terminal.plain(head), "no probe watches it, so there is nothing to draw"] }
    let buckets = report.buckets
    let losses = buckets.map { $0.probes == 0 ? nil : Double($0.lost) / Double($0.probes) }
    var trips = Array(Sparkline.relative(buckets.map(\.rttMeanMs), absent: "·"))
    for (index, bucket) in buckets.enumerated() where bucket.probes > 0 && bucket.rttMeanMs == nil {
      trips[index] = "×"
    }
    let drawn = Sparkline.shares(losses, absent: "·")
    return [
      Terminal.plain(head),
      "rtt   \(paint(String(trips), losses, colours))  \(scale(buckets))",
      "loss  \(paint(drawn, losses, colours))  \(scale(losses.compactMap { $0 }))",
      "      the last \(buckets.count) minute\(buckets.count == 1 ? "" : "s"), the current one on the right; min / "
        + "median / max",
    ]
  }

  /// Minutes with a loss, in red.
  private static func paint(_ drawn: String, _ losses: [Double?], _ colours: Bool) -> String {
    guard colours else { return drawn }
    return zip(drawn, losses).map { Terminal.paint(String($0), $1 ?? 0 > 0 ? .red : nil, ifWanted: true) }.joined()
  }

  private static func scale(_ buckets: [HistoryReport.Bucket]) -> String {
    let least = buckets.compactMap(\.rttMinMs).min()
    let most = buckets.compactMap(\.rttMaxMs).max()
    guard least != nil else { return "no answer" }
    return [least, median(buckets.compactMap(\.rttMeanMs)), most].map(Words.milliseconds).joined(separator: " / ")
  }

  private static func scale(_ losses: [Double]) -> String {
    guard !losses.isEmpty else { return "no probe sent" }
    return [losses.min(), median(losses), losses.max()].map(Words.share).joined(separator: " / ")
  }

  private static func median(_ values: [Double]) -> Double? {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return nil }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
