extension RuleSetDraft: Described {
  static var blank: Self { Self() }

  private static let roleForm = Form<Role>.choice(unsupported: ["hub": "this version runs on edges only"])

  mutating func fields(_ fields: Fields) {
    /// The version of this form. For another number, the error says which one this program reads.
    fields.constant("schema", Int64(RuleSet.schema))
    /// Must be `device` of the router's local configuration.
    fields.required("device", .name, &device)
    /// Rises with every change. If an orchestrator has lost count, `backhaul accept-revision N` on the router accepts one
    /// rule set of revision N or higher.
    /// - Value: 1 to 2⁵³ − 1
    fields.required(
      "revision", Form<Int64>.integer(RuleSetBounds.revision).mapped { UInt64($0) }, &revision)
    /// The agent refuses `hub` until it supports it.
    fields.standard("role", Self.roleForm, &role)
    /// Routers that take in the traffic.
    fields.objects("hubs", 0...256, &hubs)
    /// Authentication and keys of tunnels with IPsec.
    fields.objects("ipsec_profiles", 0...256, &profiles)
    /// How packets get to a hub.
    fields.objects("tunnels", 0...RuleSetBounds.tunnels, &tunnels)
    /// Ways out.
    fields.objects("paths", 0...RuleSetBounds.paths, &paths)
    /// How a path is judged.
    fields.objects("probes", 0...RuleSetBounds.probes, &probes)
    /// Where traffic goes, for rules that have this in common.
    fields.objects("egresses", 0...256, &egresses)
    /// Which packets go another way than backhaul rules say; the first one that matches decides.
    fields.objects("steering_rules", 0...RuleSetBounds.steeringRules, &steering)
    /// An empty list steers nothing. The key is required, so that a document that its maker cut short is not taken to mean
    /// "steer nothing".
    fields.objects("backhaul_rules", 0...256, &rules, missing: "a list (an empty one steers nothing)")
    /// Destinations that never go through a hub, whatever the rules say. `0.0.0.0/0` is refused.
    fields.list(
      "direct_destinations", 0...RuleSetBounds.prefixes, of: .prefix, &directDestinations)
    if fields.isReading { judgeDirectDestinations(fields) }
  }

  private mutating func judgeDirectDestinations(_ fields: Fields) {
    for item in directDestinations where item.value == .all {
      fields.complain("direct_destinations[\(item.index)]", "0.0.0.0/0 would leave nothing to backhaul")
    }
    directDestinations = PrefixOverlap.merged(directDestinations, in: "direct_destinations", book: fields.names.book)
  }
}

extension Hub: Described {
  package static let blank = Hub(name: .blank, address: .blank)

  package mutating func fields(_ fields: Fields) {
    /// What tunnels call it.
    fields.name(&name, of: .hubs)
    /// Its external address, where tunnels end.
    fields.required("address", .hostAddress, &address)
  }

  package static func refusal(of key: String, in kind: String?, known kinds: [String]) -> String? {
    let isWay = ["via", "through", "hub", "uplink"].contains(key)
    return isWay ? "a hub is one hop away: it has no way through another hub" : nil
  }
}
