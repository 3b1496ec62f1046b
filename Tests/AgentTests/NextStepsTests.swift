import Core
internal import RuleSets
import Testing

@testable import Agent

/// Each state of a router, and exactly the next steps that a person is given.
@Suite struct NextStepsTests {
  private struct State: CustomStringConvertible, Sendable {
    var description: String
    var steps: [String]
    var make: @Sendable (inout StatusReport) -> Void

    init(_ description: String, _ steps: [String], _ make: @escaping @Sendable (inout StatusReport) -> Void) {
      self.description = description
      self.steps = steps
      self.make = make
    }
  }

  private static func path(_ state: String = "down", cause: String? = nil, missing: String? = nil) -> PathReport {
    PathReport(
      name: "fra", kind: "tunnel", device: "bh-fra", uplink: "wan0", state: state, sinceSeconds: 1, cause: "no answer",
      mark: 1, carries: [], downCause: cause, missing: missing)
  }

  private static func uplink(_ obstacle: String?) -> UplinkReport {
    UplinkReport(
      interface: "wan0", tier: 1, isPrivate: false, usable: obstacle == nil, obstacle: obstacle, state: "down")
  }

  private static let unusable: [(obstacle: String, step: String)] = [
    ("no such interface", "ip link lists the interfaces; check its name in agent.toml"),
    ("the interface is down", "ip link set wan0 up, or start what brings it up"),
    ("no carrier", "check its cable and modem"),
    ("no IPv4 address", "its DHCP client or its static configuration must give it one"),
    ("no gateway is configured", "set its `gateway` in agent.toml"),
    (
      "the main table has no default route by it",
      "its DHCP client must set one (ip route show default), or set its `gateway` in agent.toml"
    ),
    ("none of its targets answers", "call its provider, or check that its `targets` in agent.toml answer pings"),
    ("a form that nobody knows", "see backhaul doctor"),
  ]

  private static let states: [State] =
    unusable.map { obstacle, step in
      State(obstacle, ["uplink wan0 cannot be used (\(obstacle)): \(step)"]) { $0.uplinks = [uplink(obstacle)] }
    } + [
      State("all is well", []) { _ in },
      State(
        "no hub's answer to tell by",
        [
          "path fra is down, and its hub's outer address has never answered a ping: let it answer pings, to tell a "
            + "dead hub "
            + "from a dead tunnel the next time"
        ]
      ) { $0.paths = [path(cause: "unclear", missing: "hub")] },
      State(
        "no targets to tell by",
        [
          "path fra is down, and nothing shows whether the internet answers: set `targets` of uplink wan0 in agent.toml"
        ]
      ) { $0.paths = [path(cause: "unclear", missing: "targets")] },
      State(
        "no gateway to tell by",
        [
          "path fra is down, and uplink wan0 has no gateway that answers pings: set its `targets` in agent.toml"
        ]
      ) { $0.paths = [path(cause: "unclear", missing: "gateway")] },
      State(
        "a probe that asks nobody",
        [
          "the internet answers by wan0, but the target of fra's probes does not: give them another target"
        ]
      ) { $0.paths = [path(cause: "unclear", missing: "probes")] },
      State(
        "another program's tunnel",
        [
          "path fra is down, and another program makes its tunnel: see what that program says about it"
        ]
      ) { $0.paths = [path(cause: "unclear", missing: "uplink")] },
      State(
        "a cause that is still asked for",
        [
          "path fra is down (no answer): still finding out what is at fault; look again in a few seconds"
        ]
      ) { $0.paths = [path()] },
      State(
        "a silent hub",
        ["the hub of fra does not answer by wan0, although the internet does: call whoever runs the hub"]
      ) {
        $0.paths = [path(cause: "hub_down")]
      },
      State("a silent gateway", ["uplink wan0 is dead, not even its gateway answers: check its cable and modem"]) {
        $0.paths = [path(cause: "uplink_down")]
        $0.uplinks = [uplink(nil)]
      },
      State("a silent internet", ["wan0's gateway answers, but the internet beyond it does not: call its provider"]) {
        $0.paths = [path(cause: "internet_down")]
      },
      State(
        "no route, which is the path's cause too",
        [
          "uplink wan0 cannot be used (the main table has no default route by it): its DHCP client must set one (ip "
            + "route "
            + "show default), or set its `gateway` in agent.toml"
        ]
      ) {
        $0.paths = [path(cause: "uplink_down")]
        $0.uplinks = [uplink("the main table has no default route by it")]
      },
      State("a diverted rule", ["remove it"]) { status in
        status.rules[0].traffic = TrafficReport(state: "diverted", sinceSeconds: 1, cause: "is", step: "remove it")
      },
      State(
        "a kernel that refuses",
        ["the kernel refuses what the rule set needs (x): see backhaul doctor and backhaul diff"]
      ) {
        $0.applyTrouble = "x"
      },
      State(
        "no rule set",
        [
          "no rule set has come from file:///x yet: see backhaul doctor for the clock and DNS"
        ]
      ) { $0.revision = nil },
      State("eyes that see nothing", ["the agent cannot see where clients' packets go (x): see backhaul doctor"]) {
        $0.sight.trouble = "x"
      },
    ]

  @Test(arguments: states)
  private func stateHasItsStep(_ state: State) {
    let rule = RuleReport(
      name: "office", enabled: true, mode: "backhaul", choice: "path:fra", path: nil, device: nil, shares: [],
      sinceSeconds: 1, cause: "", unencrypted: false, unencryptedSeconds: 0, fallback: "block", failback: "move",
      holdDownMs: 0, ipv6: "local", paths: [], tiers: [], interfaces: [], prefixes: 0, table: nil, mark: nil,
      traffic: TrafficReport(state: "as_intended", sinceSeconds: 1))
    var status = StatusReport(
      device: "branch", version: "0", pid: 1, uptimeSeconds: 1, revision: 7, source: "file:///x", pullFailures: 0,
      rules: [rule], paths: [], pathsInAll: 0, pathsUp: 0, uplinks: [], flipMicroseconds: [], flips: 0)
    state.make(&status)
    let steps = NextSteps.of(RouterView(status))
    #expect(steps == state.steps)
    // Only a running agent shows this.
    #expect(!steps.contains { $0.contains("start the agent") })
  }

  /// Everything that `UplinkState` says about an uplink has its own advice.
  @Test func everyObstacleHasItsAdvice() throws {
    let wan = try #require(InterfaceName("wan0"))
    let address = try #require(InterfaceAddress("192.0.2.2/24"))
    func obstacle(_ link: Link?, isPrivate: Bool = false, addresses: [InterfaceAddress] = []) -> String? {
      var actual = ActualState()
      actual.links[wan] = link
      actual.addresses[wan] = addresses
      return UplinkState(UplinkConfiguration(interface: wan, isPrivate: isPrivate), in: actual).obstacle
    }
    func link(up: Bool = true, carrier: Bool = true) -> Link {
      Link(index: InterfaceIndex(3), isUp: up, hasCarrier: carrier, mtu: 1500)
    }
    let all = [
      obstacle(nil), obstacle(link(up: false)), obstacle(link(carrier: false)), obstacle(link()),
      obstacle(link(), addresses: [address]), obstacle(link(), isPrivate: true, addresses: [address]),
    ]
    for obstacle in all {
      let text = try #require(obstacle)
      #expect(UplinkAdvice.step(text, "wan0", unknown: "?") != "?", "\(text)")
    }
  }
}
