internal import RuleSets
import Testing

@testable import Core

/// Which files of certificates `backhaul doctor` looks at.
@Suite struct NamedCertificatesTests {
  private func named(_ ruleSet: RuleSet?, _ change: (inout AgentConfiguration) -> Void = { _ in }) -> [String] {
    var configuration = Branch.configuration()
    configuration.ipsec.certificateFile = "/s/branch.pem"
    configuration.ipsec.keyFile = "/s/branch.key"
    configuration.ipsec.authorityFile = "/s/ca.pem"
    change(&configuration)
    return configuration.certificates(of: ruleSet).map { "\($0.path): \($0.purpose)" }
  }

  private var ruleSet: RuleSet {
    var ruleSet = Branch.secureRuleSet()
    for index in ruleSet.profiles.indices { ruleSet.profiles[index].authentication = .certificate(CertificateFiles()) }
    return ruleSet
  }

  @Test func thoseOfTheRuleSetsSource() {
    #expect(named(nil) == [], "without a rule set nothing uses the others")
    #expect(
      named(nil) {
        $0.ruleSet.authorityFile = "/s/web.pem"
        $0.ruleSet.clientCertificateFile = "/s/client.pem"
      } == [
        "/s/web.pem: the rule set source's authority", "/s/client.pem: this router at the rule set's source",
      ])
  }

  @Test func thoseOfProfilesThatATunnelUses() {
    #expect(
      named(ruleSet) == ["/s/branch.pem: profile hub", "/s/ca.pem: the authority of profile hub"])
    var unused = ruleSet
    unused.tunnels = [Branch.gre]
    #expect(named(unused) == [])
  }

  @Test func eachFileOnce() {
    #expect(
      named(ruleSet) { $0.ruleSet.authorityFile = "/s/ca.pem" } == [
        "/s/ca.pem: the rule set source's authority", "/s/branch.pem: profile hub",
      ])
  }
}
