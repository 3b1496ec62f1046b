internal import RuleSets
import Testing

@testable import Core

/// What an operator is told about every way in which clients' packets go astray: the word, its severity, and what to
/// do.
@Suite struct TrafficFindingTests {
  private struct Expected: Equatable {
    var kind: String
    var state: TrafficFinding.State
    var step: String
  }

  private static let rule = ForeignRule(priority: RulePriority(5270), mask: 0, mark: 0, table: TableID(52))
  private static let refusal = ForeignRule(
    priority: RulePriority(40), mask: 0, mark: 0, table: nil, isRefusal: true)
  private static func filter(_ chain: String) -> PacketFilter {
    PacketFilter(table: "ip filter", chain: chain, place: .forward, priority: 0, dropsByDefault: true)
  }
  private static func mark(_ table: String, isLegacy: Bool = false) -> ForeignMark {
    ForeignMark(table: table, chain: "PREROUTING", bits: 1, isConnections: false, isLegacy: isLegacy)
  }
  private static let issue = SourceIssue(.part(of: "br0"), "lan0", isNamed: false)

  private static let cases: [(TrafficFinding, Expected)] = [
    (
      .diverted(Detour(device: "tun9", cause: .rule(rule))),
      Expected(
        kind: "diverted", state: .diverted,
        step: "ip rule 5270 of another program sends traffic of office to table 52: remove it, or give it a priority "
          + "above 9299")
    ),
    (
      .diverted(Detour(device: "tun9", cause: .rule(refusal))),
      Expected(
        kind: "diverted", state: .diverted,
        step:
          "ip rule 40 of another program sends traffic of office to table -: remove it, or give it a priority above "
          + "9299")
    ),
    (
      .diverted(Detour(device: "tun9", cause: .route("128.0.0.0/1"))),
      Expected(
        kind: "diverted", state: .diverted,
        step:
          "the main table's route 128.0.0.0/1 dev tun9 takes what office is for: remove it, or have that program put "
          + "its routes into a table of its own")
    ),
    (
      .diverted(Detour(device: "tun9", cause: .table(TableID(10)))),
      Expected(
        kind: "diverted", state: .diverted,
        step:
          "table 10, which is consulted before ours, sends traffic of office to tun9: ip rule and ip route show table 10 "
          + "show whose it is")
    ),
    (
      .unrouted(by: refusal),
      Expected(
        kind: "unrouted", state: .obstructed,
        step: "ip rule 40 of another program refuses traffic of office: remove it, or give it a priority above 9299")
    ),
    (
      .unrouted(by: nil),
      Expected(
        kind: "unrouted", state: .obstructed, step: "the kernel has no route for traffic of office: see backhaul diff")
    ),
    (
      .unforwarded("lan0"),
      Expected(
        kind: "unforwarded", state: .obstructed,
        step: "sysctl -w net.ipv4.conf.lan0.forwarding=1, and set it in /etc/sysctl.d too")
    ),
    (
      .refused("lan0"),
      Expected(
        kind: "refused", state: .obstructed,
        step: "sysctl -w net.ipv4.conf.lan0.rp_filter=2, or add a route back to the sources of office by lan0")
    ),
    (
      .dropped(.afterForward, by: []),
      Expected(
        kind: "dropped", state: .obstructed,
        step:
          "something on this router drops traffic of office that is to be forwarded: nft list ruleset and iptables-save show what could"
      )
    ),
    (
      .dropped(.beforeForward, by: [filter("A"), filter("B"), filter("C")]),
      Expected(
        kind: "dropped", state: .obstructed,
        step:
          "let traffic of office through in chain A of nft table ip filter (policy drop) or chain B of nft table ip "
          + "filter (policy drop), from its interfaces to the tunnels and uplinks")
    ),
    (
      .unmarked(by: [mark("inet fw4")], leavingBy: nil),
      Expected(
        kind: "unmarked", state: .obstructed,
        step: "give chain PREROUTING of nft table inet fw4 a mask without \(MarkMask.standard), or choose other bits "
          + "for "
          + "kernel.mark_mask in agent.toml")
    ),
    (
      .unmarked(
        by: [mark("ip mangle"), mark("mangle", isLegacy: true), mark("inet fw4")], leavingBy: InterfaceName("wan0")),
      Expected(
        kind: "unmarked", state: .diverted,
        step: "give chain PREROUTING of nft table ip mangle or chain PREROUTING of iptables-legacy table mangle a mask "
          + "without \(MarkMask.standard), or choose other bits for kernel.mark_mask in agent.toml")
    ),
    (
      .unanswered("bh-a", by: []),
      Expected(
        kind: "unanswered", state: .obstructed,
        step: "let replies that come back by bh-a through: nft list ruleset shows what drops them")
    ),
    (
      .unanswered("bh-a", by: [filter("A")]),
      Expected(
        kind: "unanswered", state: .obstructed,
        step: "let replies that come back by bh-a through in chain A of nft table ip filter (policy drop)")
    ),
    (.untaken(issue), Expected(kind: "untaken", state: .untaken, step: issue.step(for: "office"))),
    (.misnamed(issue), Expected(kind: "misnamed", state: .misnamed, step: issue.step(for: "office"))),
    (
      .connectionTableFull(used: 10, limit: 10, dropped: 3),
      Expected(
        kind: "connection_table_full", state: .obstructed,
        step: "find who opens so many connections (conntrack -L), or sysctl -w net.netfilter.nf_conntrack_max=…")
    ),
  ]

  @Test(arguments: cases.indices)
  func aFindingSaysWhatToDo(_ index: Int) {
    let (finding, expected) = Self.cases[index]
    let told = Expected(
      kind: finding.kind, state: finding.state, step: finding.step(for: "office", KernelRanges()))
    #expect(told == expected)
    #expect(!finding.cause.isEmpty)
  }

  @Test func whatLeavesAnotherWayHasADevice() {
    #expect(Self.cases.compactMap { $0.0.device } == ["tun9", "tun9", "tun9", "tun9", "wan0"])
  }

  @Test func theWorstStateComesFirst() {
    #expect(TrafficFinding.State.allCases.sorted().map(\.rawValue).first == "diverted")
    #expect(Self.cases.map { $0.0.state }.min() == .diverted)
    #expect(TrafficFinding.State.misnamed < .asIntended && .asIntended < .unseen)
  }
}
