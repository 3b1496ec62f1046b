internal import Core
internal import RuleSets

/// Which paths a status includes. A screen has room for some, and to write a thousand of them takes the agent and the
/// client longer than everything else.
package enum PathChoice: Equatable, Sendable {
  case all
  /// These, and those that a person must see.
  case some(Set<String>)

  /// As many as fit into a request.
  static let mostNamed = 100

  package init(_ names: [String]?) throws(LocalAPI.Refusal) {
    guard let names else {
      self = .all
      return
    }
    guard names.count <= Self.mostNamed else {
      throw LocalAPI.Refusal("paths: \(names.count) names, but the limit is \(Self.mostNamed)")
    }
    self = .some(Set(names))
  }

  /// Whether this path, in that state, is one of them, or needs attention.
  ///
  /// - Parameter count: how many paths there are.
  func tells(of path: Name, _ state: PathHealth.State?, isForced: Bool, of count: Int) -> Bool {
    guard case .some(let names) = self, count > StatusReport.fewPaths else { return true }
    return state != .up || isForced || names.contains(path.text)
  }
}

extension StatusReport {
  /// A screen lists up to this many paths; if there are more, only those that are not as they should be.
  package static let fewPaths = 12

  /// With the paths that were asked for. What was judged of all of them stays.
  func keeping(_ choice: PathChoice) -> StatusReport {
    guard case .some(let names) = choice, pathsInAll > Self.fewPaths else { return self }
    var report = self
    var room = Self.fewPaths
    report.paths = paths.filter { path in
      if names.contains(path.name) { return true }
      guard path.needsALook, room > 0 else { return false }
      room -= 1
      return true
    }
    return report
  }
}

extension PathReport {
  /// It is not up, or somebody has forced it.
  package var needsALook: Bool { state != "up" || forced != nil }
}
