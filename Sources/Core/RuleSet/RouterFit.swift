/// Whether a valid rule set is one for this router: its device, its interfaces, room for its marks and tables.
package enum RouterFit {
  /// Throws everything that does not fit.
  package static func check(_ ruleSet: RuleSet, on router: AgentConfiguration) throws(Complaints) {
    let book = ComplaintBook()
    if ruleSet.device != router.device {
      book.complain(
        "device", "expected \(quoted(router.device.text)), this router, found \(quoted(ruleSet.device.text))")
    }
    checkTunnels(ruleSet, router, book)
    checkInterfaces(ruleSet, router, book)
    checkRoom(ruleSet, router, book)
    try book.close()
  }

  private static func checkTunnels(_ ruleSet: RuleSet, _ router: AgentConfiguration, _ book: ComplaintBook) {
    let prefix = router.kernel.interfacePrefix
    for (index, tunnel) in ruleSet.tunnels.enumerated() {
      let field = "tunnels[\(index)]"
      if let uplink = tunnel.uplink { check(uplink, isUplinkOf: router, at: "\(field).uplink", book) }
      guard case .external(let device) = tunnel.kind else {
        if InterfaceName(prefix + tunnel.name.text) == nil {
          book.complain(
            "\(field).name", "\(quoted(prefix + tunnel.name.text)) is too long for a device's name (15 characters)")
        }
        continue
      }
      if device.text.hasPrefix(prefix) {
        book.complain(
          "\(field).device", "expected a device that something else makes, found \(quoted(device.text)), a name of ours"
        )
      } else if router.uplinks.contains(where: { $0.interface == device }) || router.lans.contains(device) {
        book.complain(
          "\(field).device", "expected a tunnel's device, found \(quoted(device.text)), an uplink or LAN of this router"
        )
      }
    }
  }

  private static func checkInterfaces(_ ruleSet: RuleSet, _ router: AgentConfiguration, _ book: ComplaintBook) {
    for (index, path) in ruleSet.paths.enumerated() {
      if case .uplink(let uplink) = path.way { check(uplink, isUplinkOf: router, at: "paths[\(index)].uplink", book) }
    }
    for (index, rule) in ruleSet.backhaulRules.enumerated() {
      for (place, interface) in rule.sources.interfaces.enumerated() where !router.lans.contains(interface) {
        book.complain(
          "backhaul_rules[\(index)].sources.interfaces[\(place)]",
          "expected a LAN of this router (\(listed(router.lans))), found \(quoted(interface.text))")
      }
    }
  }

  private static func check(
    _ interface: InterfaceName, isUplinkOf router: AgentConfiguration, at field: String, _ book: ComplaintBook
  ) {
    if router.uplinks.contains(where: { $0.interface == interface }) { return }
    let uplinks = listed(router.uplinks.map(\.interface))
    book.complain(field, "expected an uplink of this router (\(uplinks)), found \(quoted(interface.text))")
  }

  private static func checkRoom(_ ruleSet: RuleSet, _ router: AgentConfiguration, _ book: ComplaintBook) {
    let needed = ruleSet.tunnels.count + router.uplinks.count + ruleSet.backhaulRules.count
    // Slot 1 is taken by what bypasses the rules.
    let room = router.kernel.slots - 1
    guard needed > room else { return }
    book.complain(
      "",
      "expected at most \(room) tunnels, uplinks and backhaul rules together, as this router's mark mask and tables allow,"
        + " found \(needed)")
  }

  private static func listed(_ interfaces: [InterfaceName]) -> String { interfaces.map(\.text).joined(separator: ", ") }
}
