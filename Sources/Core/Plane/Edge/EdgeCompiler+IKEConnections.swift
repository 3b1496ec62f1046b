package import RuleSets

extension EdgeCompiler {
  /// The connections that charon must have, and the tunnels of which nothing can be said now (their uplink has no
  /// address): whatever charon has of those stays.
  package func ikeConnections() -> (wanted: [IKEConnection], held: Set<Name>) {
    var wanted: [IKEConnection] = []
    var held: Set<Name> = []
    for tunnel in layout.ruleSet.tunnels where tunnel.profile != nil {
      if let connection = ikeConnection(for: tunnel) { wanted.append(connection) } else { held.insert(tunnel.name) }
    }
    let ids = Dictionary(grouping: wanted.indices) { [wanted[$0].localID, wanted[$0].remoteID] }
    for same in ids.values where same.count > 1 {
      for index in same { wanted[index].sharesIDs = true }
    }
    return (wanted, held)
  }

  private func ikeConnection(for tunnel: Tunnel) -> IKEConnection? {
    guard let profile = tunnel.profile.flatMap({ layout.profile(named: $0) }), let hub = layout.hub(of: tunnel),
      let local = tunnel.uplink.flatMap({ uplink($0)?.address }), let mode = mode(of: tunnel),
      let credentials = profile.credentials(layout.configuration.ipsec),
      let localID = profile.localID ?? IKEIdentity(layout.configuration.device.text)
    else { return nil }
    return IKEConnection(
      tunnel: tunnel.name, mode: mode, local: local, remote: hub.address, localID: localID, remoteID: profile.remoteID,
      credentials: credentials, ikeProposals: profile.ikeProposals, espProposals: profile.espProposals,
      ikeRekey: profile.ikeRekey, childRekey: profile.childRekey, reauthentication: profile.reauthentication,
      deadPeerDetection: profile.deadPeerDetection, isAlwaysInUDP: profile.udpEncapsulation == .always,
      sharesIDs: false)
  }

  private func mode(of tunnel: Tunnel) -> IKEConnection.Mode? {
    switch tunnel.kind {
    case .ipsec: layout.interfaceID(of: tunnel).map { .tunnel(interfaceID: $0) }
    case .gre, .ipip: tunnel.outerProtocol.map { .transport(protocol: $0) }
    case .external: nil
    }
  }
}

extension IPsecProfile {
  /// The keys of the files that neither the profile nor the local configuration names.
  func missingFiles(_ configuration: IPsecConfiguration) -> [String] {
    let files: [(String, String?)] =
      switch authentication {
      case .psk(let file): [("psk_file", configuration.path(of: file, or: configuration.pskFile))]
      case .certificate(let files):
        [
          ("certificate_file", configuration.path(of: files.certificate, or: configuration.certificateFile)),
          ("key_file", configuration.path(of: files.key, or: configuration.keyFile)),
          ("authority_file", configuration.path(of: files.authority, or: configuration.authorityFile)),
        ]
      }
    return files.filter { $0.1 == nil }.map(\.0)
  }

  /// The files to use on this router; nil if neither the profile nor the local configuration names one, which
  /// `RuleSetCheck` refuses.
  package func credentials(_ configuration: IPsecConfiguration) -> IKEConnection.Credentials? {
    switch authentication {
    case .psk(let file): return configuration.path(of: file, or: configuration.pskFile).map { .psk(file: $0) }
    case .certificate(let files):
      guard let certificate = configuration.path(of: files.certificate, or: configuration.certificateFile),
        let key = configuration.path(of: files.key, or: configuration.keyFile),
        let authority = configuration.path(of: files.authority, or: configuration.authorityFile)
      else { return nil }
      return .certificate(file: certificate, key: key, authority: authority)
    }
  }
}
