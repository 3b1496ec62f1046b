package import Core
package import RuleSets
internal import VICI

/// Whether this router's charon can do what a rule set asks of it: its settings, what it offers, and the secrets. Looks
/// only; what cannot be looked at (charon does not run) is said.
package struct CharonCheck {
  private let configuration: AgentConfiguration

  package init(_ configuration: AgentConfiguration) { self.configuration = configuration }

  /// Empty also where no tunnel of the rule set needs charon.
  package func findings(_ ruleSet: RuleSet) -> [CharonWord] {
    let used = Set(ruleSet.tunnels.compactMap(\.profile))
    let profiles = ruleSet.profiles.filter { used.contains($0.name) }
    guard !profiles.isEmpty else { return [] }
    return settings + profiles.flatMap { secrets(of: $0) } + proposals(of: profiles)
  }

  /// What in charon's configuration file contradicts the agent's needs.
  package static func complaints(_ configuration: AgentConfiguration) throws(Complaint) -> [CharonComplaint] {
    CharonSettings.complaints(
      try StrongswanConfFile.read(configuration.ipsec.strongswanConfiguration),
      expecting: .init(
        viciSocket: configuration.ipsec.viciSocket, kernel: configuration.kernel,
        uplinks: configuration.uplinks.map(\.interface)))
  }

  private var settings: [CharonWord] {
    do throws(Complaint) {
      return try Self.complaints(configuration).map {
        CharonWord(.settings, isError: $0.severity == .error, text: "charon: \($0)")
      }
    } catch {
      return [CharonWord(.settings, isError: true, text: "charon's settings: \(error)")]
    }
  }

  private func secrets(of profile: IPsecProfile) -> [CharonWord] {
    // A profile without its files is refused before this.
    guard let credentials = profile.credentials(configuration.ipsec) else { return [] }
    do throws(SystemCallFailure) {
      try CharonCredentials.check(credentials)
      return []
    } catch {
      return [CharonWord(.secrets, isError: true, text: "profile \(profile.name): \(error)")]
    }
  }

  private func proposals(of profiles: [IPsecProfile]) -> [CharonWord] {
    let algorithms: CharonAlgorithms
    do throws(VICIFailure) {
      var session = try VICISession.open(socketPath: configuration.ipsec.viciSocket, timeout: LinuxCharon.patience)
      algorithms = CharonAlgorithms(try session.request("get-algorithms", timeout: LinuxCharon.patience))
    } catch {
      return [CharonWord(.daemon, isError: false, text: "the proposals were not checked against charon: \(error)")]
    }
    return profiles.flatMap { profile in
      (profile.ikeProposals + profile.espProposals).flatMap { proposal in
        proposal.unsupported(by: algorithms).map {
          CharonWord(.proposals, isError: true, text: "profile \(profile.name): \(proposal): \($0)")
        }
      }
    }
  }
}
