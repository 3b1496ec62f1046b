internal import Agent

/// Numbers as a person reads them.
enum Words {
  /// `4 s`, `3 m 12 s`, `5 h 2 m`, `9 d 4 h`.
  static func age(_ seconds: Double) -> String {
    let whole = Int(max(0, min(seconds, 1e12)))
    switch whole {
    case ..<60: return "\(whole) s"
    case ..<3_600: return "\(whole / 60) m \(whole % 60) s"
    case ..<86_400: return "\(whole / 3_600) h \(whole % 3_600 / 60) m"
    default: return "\(whole / 86_400) d \(whole % 86_400 / 3_600) h"
    }
  }

  /// `live flows drain on path:ams-a, for 12 s so far, until they end`
  static func drain(_ report: DrainReport) -> String {
    let end = report.endsInSeconds.map { "those left are set up again in \(age($0))" } ?? "until they end"
    return "live flows drain on \(report.way), for \(age(report.sinceSeconds)) so far, \(end)"
  }

  /// `0.4 ms`, `12.3 ms`; `-` for nil.
  static func milliseconds(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "-" }
    let tenths = Int((min(value, 1e9) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) ms"
  }

  /// `0 B`, `1.5 kB`, `12 MB`: powers of 1,000, as `ip -s -h link` counts; `-` for nil.
  static func bytes(_ value: UInt64?) -> String {
    guard let value else { return "-" }
    if value < 1_000 { return "\(value) B" }
    var unit = 0
    var tenths = value / 100
    while tenths >= 10_000 && unit < 4 {
      tenths /= 1_000
      unit += 1
    }
    let name = ["kB", "MB", "GB", "TB", "PB"][unit]
    return tenths < 100 && tenths % 10 != 0 ? "\(tenths / 10).\(tenths % 10) \(name)" : "\(tenths / 10) \(name)"
  }

  /// `0 %`, `2.5 %`; `-` for nil. Takes a share, 0...1.
  static func share(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "-" }
    let tenths = Int((value * 1_000).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
  }

  /// `fra-a,fra-b`, `fra-a*3+fra-b,ams-a`: paths that share flows with a plus between them, and their weights.
  static func tiers(_ tiers: [[ShareReport]]) -> String {
    tiers.map { tier in
      let isEven = tier.allSatisfy { $0.weight == tier.first?.weight }
      return tier.map { isEven ? $0.path : "\($0.path)*\($0.weight)" }.joined(separator: "+")
    }.joined(separator: ",")
  }
}
