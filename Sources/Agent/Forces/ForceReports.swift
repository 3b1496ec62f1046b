internal import Core
internal import RuleSets

/// An operator's order for a path.
package struct PathForceReport: Codable, Equatable, Sendable {
  package var path: String
  /// `up` or `down`.
  package var force: String
  /// RFC 3339, UTC, milliseconds.
  package var since: String
  /// Null: until it is taken back.
  package var until: String?
  package var user: UInt32
  package var reason: String?
}

/// The result of `force`.
package struct ForceReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var path: String
  /// `up`, `down` or `auto`.
  package var force: String
  package var until: String?
  package var reason: String?
  /// The path's present state; null if the rule set has no such path.
  package var state: String?
  package var cause: String?
  /// What an operator may not have meant.
  package var warnings: [String]
}

extension PathForceReport {
  init(_ path: Name, _ entry: ForcedPaths.Entry) {
    self.init(
      path: path.text, force: entry.force.rawValue, since: entry.since.text, until: entry.until?.text,
      user: entry.user, reason: entry.reason)
  }

  /// Of paths that the rule set does not have, by name.
  static func stray(_ forces: [Name: ForcedPaths.Entry], _ watch: WatchSnapshot) -> [PathForceReport] {
    let known = Set(watch.plan.paths.map(\.name))
    return forces.filter { !known.contains($0.key) }.sorted { $0.key < $1.key }.map {
      PathForceReport($0.key, $0.value)
    }
  }
}

/// What `force` asks for, checked.
struct ForceRequest: Sendable {
  /// Nil: `auto`.
  var force: PathHealth.Force?
  var lasting: Duration?
  var reason: String?

  init(_ asked: LocalAPI.Request) throws(LocalAPI.Refusal) {
    switch asked.force {
    case "auto"?: force = nil
    case let word?:
      guard let known = PathHealth.Force(rawValue: word) else {
        throw LocalAPI.Refusal("force takes up, down or auto, not \(quoted(word))")
      }
      force = known
    case nil: throw LocalAPI.Refusal("force takes up, down or auto")
    }
    if let seconds = asked.forSeconds {
      let longest = ForcedPaths.longest.inSeconds
      guard seconds >= 1, seconds <= longest else {
        throw LocalAPI.Refusal("for takes from one second to \(Int(longest / 86_400)) days")
      }
      guard force != nil else { throw LocalAPI.Refusal("auto has no end: use for with up or down") }
      lasting = .milliseconds(Int64(seconds * 1_000))
    }
    if let text = asked.reason {
      guard (1...ForcedPaths.longestReason).contains(text.utf8.count) else {
        throw LocalAPI.Refusal("a reason has 1 to \(ForcedPaths.longestReason) bytes")
      }
      guard !text.unicodeScalars.contains(where: \.isControl) else {
        throw LocalAPI.Refusal("a reason is one line of text, without control characters")
      }
      reason = text
    }
  }
}

extension ForceReport {
  /// What an operator may not have meant by this force, as it has worked out.
  static func warnings(of path: Name, _ force: PathHealth.Force?, _ watch: WatchSnapshot) -> [String] {
    switch force {
    case nil: return []
    case .up?:
      guard let health = watch.health[path], health.state != .up else { return [] }
      return ["path \(path) is still \(health.state.rawValue): \(health.cause)"]
    case .down?:
      return watch.plan.rules.map(\.rule).filter { rule in
        rule.paths.contains(path) && !rule.paths.contains { isAlive($0, watch) }
      }.map { "rule \($0.name) has no path left that is up: \(words(for: $0.fallback))" }
    }
  }

  private static func isAlive(_ path: Name, _ watch: WatchSnapshot) -> Bool {
    switch watch.health[path]?.state {
    case .up?, .degraded?: true
    case .down?, .disabled?, .unknown?, nil: false
    }
  }

  private static func words(for fallback: Egress.Fallback) -> String {
    switch fallback {
    case .block: "its traffic is blocked (fallback: block)"
    case .localWAN: "its traffic leaves by the local WAN, not by a hub (fallback: local_wan)"
    case .underlay: "its traffic leaves by the private line in the clear, or is blocked (fallback: underlay)"
    }
  }
}
