internal import RuleSets
import SeededRandom
import Testing

@testable import Core

@Suite("What the edge's compiler makes") struct EdgeCompilerPropertyTests {
  /// Printed with every failure; another one explores other rule sets.
  static let seed: UInt64 = 20_261_130

  @Test("keeps every promise to every packet", arguments: 0..<60)
  func promises(_ number: UInt64) throws {
    var random = RandomBranch(seed: Self.seed &+ number)
    let promises = try #require(EdgePromises(&random))
    let breach = promises.breach(of: try promises.router())
    #expect(breach == nil, "seed \(Self.seed &+ number)")
  }

  /// What no promise here needs, and why it is there all the same.
  private static let saidElsewhere = [
    "ip rule ipv4 9206 by mark: goto(9299)": "for lists so long that belts are wider: PrefixCoverTests",
    "ip rule ipv4 9209 by mark: goto(9229)": "saves questions: MarkTreeTests",
    "ip rule ipv4 9212 by mark: goto(9215)": "the same",
    "ip rule ipv4 9229 by : nop": "the same",
    "nft rule go_RULE: the source is another's by now":
      "few rule sets here have several rules for all LANs: SettledTests",
    "setting sourceValidMark of others": "saves questions at the belts",
    "nft rule arrive: was for the lookup alone": "the same",
    "nft rule freed: no rule takes it": "the same",
    "nft rule stray: no rule takes it": "the same",
    "map freed_by to freed": "the same",
    "map left_by to left_direct": "so that what is direct on purpose is not taken for a stray",
    "nft rule left_direct: direct": "the same",
    "map known_by to known": "saves a second look at what is known not to come from a LAN",
    "nft rule stray_outward: what came by a way out": "the same",
    "nft rule through: LAN LAN, in a VRF": "what is strict is held by whatever device",
    "nft rule stray: what came by a way out": "the same",
    "nft rule guard: rule RULE: its own path UPLINK, in a VRF": "the walk does not go through prerouting twice",
    "nft rule guard: rule RULE: may leave, in a VRF": "the same",
    "nft rule stray: rule RULE: held": "belts lead it the same way",
    "nft rule sort: by whatever device": "the same",
    "setting disableIPv6 of ownTunnel": "the walk has no router solicitations",
    "setting errorSource of others": "the walk does not choose the source of errors: icmp-errors-stay-in",
    "setting reversePathFilter of ownTunnel":
      "for answers by a tunnel that a rule has left, while the table is flushed",
    "setting forwarding of ownTunnel": "the walk takes it for granted",
    "nft rule answer: what the router asks, and no answer": "saves a look at the map",
    "nft rule error: about a flow of another way than uplink UPLINK": "holds where others route the router's packets",
    "nft rule error: about no flow that is known, invalid": "the same",
    "nft rule error: about no flow that is known, untracked": "the same",
  ]

  @Test("and each thing of it is needed for that, or said to be something else")
  func nothingIsSuperfluous() throws {
    var needed: Set<ForgetfulCompiler> = []
    var met: Set<ForgetfulCompiler> = []
    let elsewhere = Self.saidElsewhere.keys
    for number in 0..<120 {
      var random = RandomBranch(seed: Self.seed &+ UInt64(number))
      let promises = try #require(EdgePromises(&random))
      let layout = promises.compiler.layout
      let mutants = ForgetfulCompiler.all(for: promises.compiler.compile(), layout)
      met.formUnion(mutants)
      for mutant in mutants.subtracting(needed) where !elsewhere.contains(mutant.kind) {
        let state = try? promises.router { mutant.forget(in: &$0, layout) }
        if state.map({ promises.breach(of: $0) != nil }) ?? true { needed.insert(mutant) }
      }
    }
    let idle = Set(met.subtracting(needed).map(\.kind)).subtracting(elsewhere).sorted()
    #expect(met.count > 120)
    #expect(idle == [], "no promise is broken without them")
  }
}
