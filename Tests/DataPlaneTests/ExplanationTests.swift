internal import RuleSets
import Testing

@testable import Core

/// What is said about packets on a router that runs a rule set.
@Suite struct ExplanationTests {
  private let host = "192.168.10.50"
  private let internet = "8.8.8.8"

  /// Of a kernel as the rule set made it.
  private func explainer(
    _ ruleSet: RuleSet = Branch.ruleSet(), _ choice: RuleSelection.Choice = .path("fra-a"),
    mainRoutes: [TableRoute] = []
  ) throws -> PacketExplainer {
    try explainer(Branch.compiler(ruleSet), choice, mainRoutes: mainRoutes)
  }

  private func explainer(
    _ before: EdgeCompiler, _ choice: RuleSelection.Choice, mainRoutes: [TableRoute] = [],
    secured: Set<Name> = []
  ) throws -> PacketExplainer {
    var model = ModelKernel(before.actual)
    try model.apply(Planner.plan(desired: before.compile(), actual: model.state).steps)
    let choices = Dictionary(uniqueKeysWithValues: before.layout.ruleSet.backhaulRules.map { ($0.name, choice) })
    return PacketExplainer(
      EdgeCompiler(before.layout, model.state), choices: choices, mainRoutes: mainRoutes, secured: secured)
  }

  private func question(
    _ source: String, _ destination: String, _ service: String? = nil, in incoming: String? = nil
  ) throws(Complaint) -> PacketQuestion {
    try PacketQuestion(source: source, destination: destination, service: service, incoming: incoming)
  }

  private func strict(_ ipv6: BackhaulRule.IPv6 = .local) -> RuleSet {
    var rule = Branch.office
    rule.egress.fallback = .block
    rule.ipv6 = ipv6
    return Branch.ruleSet(rules: [rule])
  }

  @Test func trafficOfARuleIsFollowedIntoItsTunnel() throws {
    let explanation = try explainer().explain(question(host, internet, "tcp/443"))
    #expect(explanation.packet.incoming == "lan0")
    #expect(explanation.taker == .rule("office"))
    #expect(explanation.mark == Branch.compiler().layout.mark(.egress("office")))
    #expect(explanation.rule?.priority == RulePriority(9220))
    #expect(explanation.route?.words == "default dev bh-fra-a")
    #expect(explanation.path == "fra-a" && explanation.tunnel?.name == "fra-a")
    #expect(explanation.outerDevice == "wan0" && explanation.outer?.destination == "203.0.113.2")
    #expect(explanation.outcome == .hub)
    #expect(explanation.verdict == "It goes through tunnel fra-a to hub fra: rule office takes it.")
  }

  @Test func theLocalWANIsNamed() throws {
    let explanation = try explainer(Branch.ruleSet(), .localWAN("wan1")).explain(question(host, internet))
    #expect(explanation.outcome == .localWAN && explanation.isTranslated && explanation.path == "lte")
    #expect(
      explanation.verdict
        == "It leaves by uplink wan1 with the uplink's own address: rule office takes it and has fallen back to the "
        + "local WAN."
    )
  }

  @Test func whatARuleBlocksIsNotCalledUnreachable() throws {
    let explanation = try explainer(strict(), .blocked).explain(question(host, internet))
    #expect(explanation.outcome == .blocked)
    #expect(
      explanation.verdict
        == "It goes nowhere: rule office takes it, no path of the rule can be used, and its fallback is block.")
  }

  @Test func directDestinationsAndMainsOwnRoutesComeFirst() throws {
    let direct = try explainer().explain(question(host, "198.18.0.9"))
    #expect(direct.taker == .direct && direct.outcome == .localWAN && direct.device == "wan0")
    let site = TableRoute(
      table: .main, destination: "10.99.0.0/24", metric: RouteMetric(0), way: .out(device: "wan0", gateway: "192.0.2.1")
    )
    let specific = try explainer(mainRoutes: [site]).explain(question(host, "10.99.0.9"))
    #expect(specific.outcome == .localWAN && specific.taker == .rule("office"))
    #expect(specific.verdict.contains("the main table has a route of its own to 10.99.0.0/24"))
    let held = try explainer(strict(), mainRoutes: [site]).explain(question(host, "10.99.0.9"))
    #expect(held.outcome == .blocked && held.reason == "rule office: block")
  }

  @Test func theRoutersOwnTrafficIsNeverSteered() throws {
    let own = try explainer().explain(question("192.0.2.2", internet))
    #expect(own.taker == .router && own.outcome == .localWAN && own.mark.value == 0 && own.packet.incoming == nil)
    #expect(own.verdict == "It leaves by uplink wan0: it is the router's own traffic, which no rule takes.")
    #expect(try explainer().explain(question(host, "192.168.10.1")).outcome == .router)
  }

  @Test func whatNoRuleTakesGoesAsMainSays() throws {
    let guests = TableRoute(
      table: .main, destination: "192.168.11.0/24", metric: RouteMetric(0), way: .out(device: "lan0", gateway: nil))
    let other = try explainer(mainRoutes: [guests]).explain(question("192.168.11.2", internet))
    #expect(other.taker == .nobody && other.outcome == .localWAN && !other.isTranslated)
  }

  @Test func aGREPacketWithoutItsSAIsLost() throws {
    let compiler = Branch.secureCompiler()
    let lost = try explainer(compiler, .path("fra-g")).explain(question(host, internet))
    #expect(lost.outcome == .lost && lost.reason?.contains("never in the clear") == true)
    let secured = try explainer(compiler, .path("fra-g"), secured: ["fra-g"]).explain(question(host, internet))
    #expect(secured.outcome == .hub && secured.outerDevice == "mpls0")
    let esp = try explainer(compiler, .path("fra-s")).explain(question(host, internet))
    #expect(esp.outcome == .hub && esp.outerDevice == "wan0" && esp.outer == nil)
  }

  @Test func theRulesChoiceForIPv6IsReported() throws {
    let question = try question("2001:db8:10::2", "2001:db8:9::9")
    #expect(try explainer().explain(question).outcome == .localWAN)
    let blocked = try explainer(strict(.block)).explain(question)
    #expect(blocked.outcome == .blocked && blocked.taker == .rule("office"))
    #expect(blocked.lookup(question) == nil)
  }

  @Test(arguments: [
    ("8.8.8.8", "1.1.1.1", nil, "8.8.8.8 is not behind any LAN: the route to it leads out by wan0"),
    ("192.168.10.1", "8.8.8.8", "lan0", "nothing from it comes in by lan0"),
    ("192.168.10.1", "192.0.2.2", nil, "both ends are the router's own"),
    ("192.168.10.50", "8.8.8.8", "lan7", "did you mean lan0?"),
    ("192.168.10.50", "192.168.10.255", nil, "stands for the whole network of lan0"),
  ])
  func whatIsNotAPacketIsRefused(_ source: String, _ destination: String, _ incoming: String?, _ words: String) throws {
    let explainer = try explainer()
    let question = try question(source, destination, in: incoming)
    let complaint = #expect(throws: Complaint.self) { try explainer.explain(question) }
    #expect(complaint?.description.contains(words) == true)
  }

  @Test(arguments: [
    ("8.8.8.8", "8.8.8.8", nil), ("127.0.0.1", "8.8.8.8", nil), ("224.0.0.1", "8.8.8.8", nil), ("", "8.8.8.8", nil),
    ("8.8.8.8", "example.com", nil), ("8.8.8.8", "2001:db8::1", nil), ("8.8.8.8", "1.1.1.1", "esp"),
    ("8.8.8.8", "1.1.1.1", "tcp/0"), ("8.8.8.8", "1.1.1.1", "tcp/65536"), ("8.8.8.8", "1.1.1.1", "tcp/"),
    ("8.8.8.8", "1.1.1.1", "icmp/8"), ("8.8.8.8", "1.1.1.1", "tcp/+5"), ("8.8.8.8", "1.1.1.1", ""),
  ])
  func whatIsNotAQuestionIsRefused(_ source: String, _ destination: String, _ service: String?) {
    #expect(throws: Complaint.self) { try question(source, destination, service) }
  }

  /// A router whose `lan0` is as the change makes it.
  private func explainer(with change: (inout ActualState) -> Void) throws -> PacketExplainer {
    var kernel = Branch.kernel()
    change(&kernel)
    return try explainer(Branch.compiler(Branch.ruleSet(), Branch.configuration(), kernel), .path("fra-a"))
  }

  @Test func noInterfaceIsAssumedThatTheSourceIsNotBehind() throws {
    let renamed = try explainer {
      $0.links["enp3s0"] = $0.links.removeValue(forKey: "lan0")
      $0.addresses["enp3s0"] = $0.addresses.removeValue(forKey: "lan0")
      for key in InterfaceSetting.Key.allCases { $0.settings[InterfaceSetting("enp3s0", key)] = 0 }
    }.explain(question(host, internet))
    #expect(renamed.packet.incoming == "enp3s0" && renamed.taker == .nobody && renamed.outcome == .localWAN)
    let bridged = try explainer {
      $0.links["lan0"]?.stack = LinkStack(master: "br0")
      $0.links["br0"] = Link(index: InterfaceIndex(9), isUp: true, hasCarrier: true, mtu: 1500)
      for key in InterfaceSetting.Key.allCases { $0.settings[InterfaceSetting("br0", key)] = 0 }
    }.explain(question(host, internet))
    #expect(bridged.packet.incoming == "br0" && bridged.taker == .nobody)
    let two = try explainer {
      $0.links["lan1"] = Link(index: InterfaceIndex(9), isUp: true, hasCarrier: true, mtu: 1500)
      $0.addresses["lan1"] = ["192.168.10.3/24"]
      for key in InterfaceSetting.Key.allCases { $0.settings[InterfaceSetting("lan1", key)] = 0 }
    }
    let asked = try question(host, internet)
    let complaint = #expect(throws: Complaint.self) { try two.explain(asked) }
    #expect(
      complaint?.description.contains("may come in by lan0 or lan1; use --in to say which one") == true)
    #expect(try two.explain(question(host, internet, in: "lan1")).packet.incoming == "lan1")
    let six = try question("2001:db8:10::2", "2001:db8:9::9")
    let gone = try explainer { $0.links["lan0"] = nil }
    #expect(throws: Complaint.self) { try gone.explain(six) }
  }

  @Test func theLastWordIsTheKernels() throws {
    var explanation = try explainer().explain(question(host, internet, "tcp/443"))
    let rule = ForeignRule(priority: RulePriority(5270), mask: 0, mark: 0, table: TableID(52))
    explanation.corrected(
      by: .out("tun9", gateway: nil, table: TableID(52)), .diverted(Detour(device: "tun9", cause: .rule(rule))))
    #expect(explanation.outcome == .diverted && explanation.device == "tun9")
    #expect(explanation.path == nil && explanation.tunnel == nil && explanation.outer == nil)
    #expect(
      explanation.verdict
        == "It leaves by tun9 and not as rule office wants: it is sent to tun9 by ip rule 5270: lookup 52 of another "
        + "program."
    )
    explanation = try explainer().explain(question(host, internet))
    explanation.corrected(by: .unreachable, nil)
    #expect(
      explanation.verdict == "It goes nowhere, and not as rule office wants: the kernel has no route for it."
        && explanation.outcome == .unreachable && explanation.device == nil)
    explanation = try explainer().explain(question(host, internet))
    explanation.corrected(by: .local, nil)
    #expect(
      explanation.verdict == "The router takes it itself, and does not send it on as rule office wants."
        && explanation.outcome == .router && explanation.device == nil)
    explanation = try explainer().explain(question(host, internet))
    explanation.corrected(by: .spoofed, .refused("lan0"))
    #expect(
      explanation.verdict.hasPrefix(
        "It goes nowhere, and not as rule office wants: it is refused by the kernel's reverse")
        && explanation.outcome == .spoofed && explanation.device == nil)
    explanation = try explainer().explain(question(host, internet))
    explanation.obstructed(by: .dropped(.afterForward, by: []))
    #expect(explanation.outcome == .obstructed)
    #expect(
      explanation.verdict
        == "It does not get through: its rule's traffic is dropped on this router, but the agent cannot see by what.")
  }

  @Test func whatIsWantedIsTheDevicesOfTheRoute() throws {
    #expect(try explainer().explain(question(host, internet)).wanted == .devices(["bh-fra-a"]))
    #expect(try explainer(strict(), .blocked).explain(question(host, internet)).wanted == .nowhere)
  }

  @Test func theKernelsAnswerIsHeldAgainstIt() throws {
    let hub = try explainer().explain(question(host, internet))
    #expect(hub.contradiction(by: .out("bh-fra-a", gateway: nil, table: TableID(7905))) == nil)
    #expect(
      hub.contradiction(by: .out("wan0", gateway: "192.0.2.1", table: .main))
        == "the kernel's answer differs from the rule set's: via 192.0.2.1 dev wan0 table main instead of dev bh-fra-a"
    )
    for answer in [LookupAnswer.local, .unreachable, .spoofed] { #expect(hub.contradiction(by: answer) != nil) }
    let blocked = try explainer(strict(), .blocked).explain(question(host, internet))
    #expect(blocked.contradiction(by: .unreachable) == nil)
    #expect(try explainer().explain(question(host, "192.168.10.1")).contradiction(by: .local) == nil)
  }
}

@Suite struct IPv6AddressTests {
  @Test(arguments: [
    "::", "::1", "2001:db8::1", "1:2:3:4:5:6:7:8", "fe80::1:2", "::ffff:192.0.2.1", "1::8", "64:ff9b::1.2.3.4",
  ])
  func isOne(_ text: String) { #expect(IPv6Address(text) != nil) }

  @Test(arguments: [
    "", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "1:2:3:4:5:6:7::8", "::1%lan0",
    "1.2.3.4", "1.2.3.4::", "fe80::/64", "1:2", ":1:2:3:4:5:6:7",
  ])
  func isNone(_ text: String) { #expect(IPv6Address(text) == nil) }
}
