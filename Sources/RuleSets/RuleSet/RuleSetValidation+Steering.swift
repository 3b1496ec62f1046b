/// What steering rules say together with the rest.
extension RuleSetDraft {
  func validateSteering() {
    for rule in steering {
      let field = "steering_rules[\(rule.index)]"
      if let egress = rule.value.egress { checkSteeredEgress(egress, at: "\(field).egress") }
      if let other = names.names[.rules]?[rule.value.name] {
        book.complain(
          "\(field).name", "\(quoted(rule.value.name.text)) is already the name of backhaul_rules[\(other)]")
      }
    }
    validateSteeringCounts()
    remarkOnBypass()
    remarkOnHiddenRules()
  }

  /// A rule's own egress is nobody else's.
  private func checkSteeredEgress(_ name: Name, at field: String) {
    guard names.names[.egresses]?[name] == nil, let rule = names.names[.rules]?[name] else {
      return names.checkReference(name, to: .egresses, at: field)
    }
    book.complain(
      field,
      "no egress is named \(quoted(name.text)): backhaul_rules[\(rule)] has one for itself, which has to be in"
        + " \"egresses\" for others to name it")
  }

  private func validateSteeringCounts() {
    func check(_ noun: String, _ most: Int, _ count: (SteeringMatch) -> Int) {
      let found = steering.reduce(0) { $0 + count($1.value.match) }
      guard found > most else { return }
      book.complain("steering_rules", "expected at most \(most) \(noun) in all rules together, found \(found)")
    }
    check("MAC addresses", RuleSetBounds.macs) { $0.macs.count }
    check("ports and ranges", RuleSetBounds.ports) { $0.ports.count }
    check("domains", RuleSetBounds.domains) { $0.domains.count }
  }

  /// The first rule that matches decides, so what an earlier one takes wholly never comes to its turn.
  private func remarkOnHiddenRules() {
    let enabled = steering.filter(\.value.enabled)
    for (late, early) in HiddenMatches(enabled.map(\.value.match)).found {
      let (rule, other) = (enabled[late], enabled[early])
      book.remark(
        "steering_rules[\(rule.index)]",
        "\(quoted(rule.value.name.text)) never takes a packet: steering_rules[\(other.index)]"
          + " \(quoted(other.value.name.text)) takes all that it would")
    }
  }

  private func remarkOnBypass() {
    let egresses = Dictionary(
      self.egresses.map { ($0.value.egress.name, $0.value.egress) }, uniquingKeysWith: { first, _ in first })
    let direct = steering.filter { $0.value.enabled && $0.value.action == .direct }.map {
      (index: $0.index, lans: Set($0.value.match.lans), sources: $0.value.match.sources.sorted())
    }
    for rule in rules {
      guard let egress = rule.value.named.map({ egresses[$0] }) ?? rule.value.own.egress else { continue }
      if rule.value.allowBypass, !egress.isStrict {
        book.remark(
          "backhaul_rules[\(rule.index)].allow_bypass",
          "has no effect: with fallback \"\(egress.fallback.rawValue)\" nothing is forbidden")
      }
      guard egress.isStrict, rule.value.enabled, !rule.value.allowBypass else { continue }
      let interfaces = rule.value.sources.interfaces
      let prefixes = rule.value.sources.prefixes.map(\.value).sorted()
      for other in direct {
        // A list that is empty holds everything.
        guard interfaces.isEmpty || other.lans.isEmpty || interfaces.contains(where: other.lans.contains),
          prefixes.isEmpty || other.sources.isEmpty || PrefixOverlap.meet(prefixes, other.sources)
        else { continue }
        book.remark(
          "steering_rules[\(other.index)]",
          "what backhaul rule \(quoted(rule.value.name.text)) takes does not leave by an uplink, as its fallback is"
            + " \"\(egress.fallback.rawValue)\": it is dropped, unless that rule has allow_bypass")
      }
    }
  }
}
