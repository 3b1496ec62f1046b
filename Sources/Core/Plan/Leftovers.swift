/// What the kernel has of ours although no rule set is running: an earlier agent put it there, and nobody knows any more
/// which rule set it was for. It goes on doing what it did.
package struct Leftovers: Equatable, Sendable, CustomStringConvertible {
  /// The nftables table is there.
  package var hasTable: Bool
  package var rules: Int
  package var routes: Int
  package var devices: Int

  /// Nil if there is nothing.
  ///
  /// - Parameter wanted: what is there on purpose, and does not count.
  package init?(in actual: ActualState, besides wanted: DesiredState) {
    hasTable = false
    rules = 0
    routes = 0
    devices = 0
    for step in Planner.plan(desired: wanted, actual: actual).steps {
      switch step {
      case .replaceNftTable, .changeNftTable, .changeSets, .renewSets, .deleteNftTable:
        hasTable = hasTable || actual.nftTable != nil
      case .deleteFastTable: hasTable = hasTable || actual.fastTable != nil
      case .deleteRule: rules += 1
      case .deleteRoute: routes += 1
      case .deleteDevice: devices += 1
      default: break
      }
    }
    guard hasTable || rules + routes + devices > 0 else { return nil }
  }

  package var description: String {
    func counted(_ number: Int, _ word: String) -> [String] {
      number == 0 ? [] : ["\(number) \(word)\(number == 1 ? "" : "s")"]
    }
    let parts =
      (hasTable ? ["an nftables table"] : []) + counted(rules, "ip rule") + counted(routes, "route")
      + counted(devices, "tunnel")
    guard let last = parts.last, parts.count > 1 else { return parts.first ?? "nothing" }
    return parts.dropLast().joined(separator: ", ") + " and \(last)"
  }
}
