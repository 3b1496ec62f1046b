internal import RuleSets

/// Which egresses of a rule set are one to the data plane: those that say the same, whatever their names. A thousand rules
/// that go the same way need one mark and one table.
struct SharedEgresses {
  /// The names of those that are one, in the order of the rules that use them. No group is empty.
  private(set) var groups: [[Name]] = []

  init(_ ruleSet: RuleSet) {
    var known: [Egress: Int] = [:]
    var named: Set<Name> = []
    for egress in ruleSet.backhaulRules.lazy.map(\.egress) where named.insert(egress.name).inserted {
      // Under one name they are equal if all else is.
      let content = egress.named(ruleSet.device)
      if let place = known[content] {
        groups[place].append(egress.name)
      } else {
        known[content] = groups.count
        groups.append([egress.name])
      }
    }
  }

  /// Of each egress, by its name, what it is known by in the kernel: the first name of its group.
  var titles: [Name: Name] {
    var titles: [Name: Name] = [:]
    for names in groups { for name in names { titles[name] = names[0] } }
    return titles
  }
}
