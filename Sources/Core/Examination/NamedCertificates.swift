package import RuleSets

extension AgentConfiguration {
  /// The files of certificates that it and the rule set name, each once, and what they are for.
  package func certificates(of ruleSet: RuleSet?) -> [(path: String, purpose: String)] {
    var all: [(path: String, purpose: String)] = []
    func add(_ path: String?, _ purpose: String) {
      guard let path, !all.contains(where: { $0.path == path }) else { return }
      all.append((path, purpose))
    }
    add(self.ruleSet.authorityFile, "the rule set source's authority")
    add(self.ruleSet.clientCertificateFile, "this router at the rule set's source")
    let used = Set((ruleSet?.tunnels ?? []).compactMap(\.profile))
    for profile in ruleSet?.profiles ?? [] where used.contains(profile.name) {
      guard case .certificate(let certificate, _, let authority)? = profile.credentials(ipsec) else { continue }
      add(certificate, "profile \(profile.name)")
      add(authority, "the authority of profile \(profile.name)")
    }
    return all
  }
}
