/// What profiles and tunnels say together.
extension RuleSetDraft {
  /// What profiles and tunnels say together.
  func validateProfiles() {
    for tunnel in tunnels {
      guard let profile = tunnel.value.profile else { continue }
      let key = tunnel.value.isIPsec ? "profile" : "protected_by"
      names.checkReference(profile, to: .profiles, at: "tunnels[\(tunnel.index)].\(key)")
    }
    validateProtection()
    validateSharedKeys()
  }

  /// Transport SAs are chosen by addresses and protocol alone, whatever key GRE has: between two ends there is one, and
  /// all other GRE that goes there would be taken into it. What has the same key, too, is complained of elsewhere.
  private func validateProtection() {
    var seen: [String: Item<Tunnel>] = [:]
    for tunnel in tunnels {
      guard case .gre = tunnel.value.kind else { continue }
      let ends = "\(tunnel.value.hub) \(tunnel.value.uplink?.text ?? "")"
      guard let first = seen[ends] else {
        seen[ends] = tunnel
        continue
      }
      let isProtected = [first, tunnel].map { $0.value.protection != nil }
      guard isProtected.contains(true), first.value.kind != tunnel.value.kind else { continue }
      book.complain(
        "tunnels[\(tunnel.index)]",
        "the same kind, hub and uplink as tunnels[\(first.index)], and "
          + (isProtected.contains(false) ? "one of them is" : "both are")
          + " protected: IPsec takes all gre between two ends into one SA, whatever its key")
    }
  }

  /// Ids and files that the local configuration decides, `RuleSetCheck` looks at.
  private func validateSharedKeys() {
    let used = Set(tunnels.compactMap(\.value.profile))
    var seen: [Set<String>: (file: SecretFileName, index: Int)] = [:]
    for profile in profiles where used.contains(profile.value.name) {
      guard case .psk(let file?) = profile.value.authentication else { continue }
      let owners = profile.value.keyOwners(localID: profile.value.localID)
      if let other = seen[owners], other.file != file {
        book.complain("ipsec_profiles[\(profile.index)]", IPsecProfile.sharesKeyOwners(with: other.index))
      } else {
        seen[owners] = (file, profile.index)
      }
    }
  }
}
