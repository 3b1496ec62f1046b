/// Hubs, tunnels and paths: how to get out.
extension RuleSetDraft {
  mutating func readHubs(_ top: FieldReader) {
    let way = "a hub is one hop away: it has no way through another hub"
    hubs = top.objects("hubs", 0...RuleSetBounds.hubs) { index, value, path in
      guard
        let fields = FieldReader(
          value, at: path, keys: ["name", "address"], refused: ["via": way, "through": way, "hub": way, "uplink": way],
          book: book)
      else { return nil }
      let name = readName(.hubs, index: index, fields)
      let address = fields.required("address", .hostAddress)
      guard let name, let address else { return nil }
      return Hub(name: name, address: address)
    }
  }

  /// The words that `kind` may have.
  private enum TunnelKind: String, CaseIterable, Sendable {
    case gre, ipip, ipsec, external

    var keys: [String] {
      switch self {
      case .gre: ["name", "kind", "hub", "uplink", "key", "inner", "mtu", "protected_by"]
      case .ipip: ["name", "kind", "hub", "uplink", "inner", "mtu", "protected_by"]
      case .ipsec: ["name", "kind", "hub", "uplink", "profile", "inner", "mtu"]
      case .external: ["name", "kind", "hub", "device"]
      }
    }

    private static let noDevice = "only an external tunnel names its device"
    private static let protection = "IPsec around it is \"protected_by\""

    /// Keys that another kind has, and why this one has not.
    var refused: [String: String] {
      let maker = "an external tunnel's device is set up by what makes it"
      return switch self {
      case .gre: ["device": Self.noDevice, "profile": Self.protection]
      case .ipip: ["device": Self.noDevice, "profile": Self.protection, "key": "only a gre tunnel has a key"]
      case .ipsec:
        [
          "device": Self.noDevice, "key": "only a gre tunnel has a key",
          "protected_by": "an ipsec tunnel names its \"profile\"",
        ]
      case .external:
        ["uplink": maker, "inner": maker, "mtu": maker, "key": maker, "profile": maker, "protected_by": maker]
      }
    }
  }

  private static let anyTunnelKeys = [
    "name", "kind", "hub", "uplink", "key", "inner", "mtu", "device", "profile", "protected_by",
  ]
  private static let tunnelKindForm = Form<TunnelKind>.choice(unsupported: [
    "wireguard": "a tunnel that something else makes is \"external\""
  ])

  mutating func readTunnels(_ top: FieldReader) {
    tunnels = top.objects("tunnels", 0...RuleSetBounds.tunnels) { readTunnel($0, $1, at: $2) }
  }

  private mutating func readTunnel(_ index: Int, _ value: DocumentValue, at path: String) -> Tunnel? {
    let kind: TunnelKind? = value.word("kind")
    guard
      let fields = FieldReader(
        value, at: path, keys: kind?.keys ?? Self.anyTunnelKeys, refused: kind?.refused ?? [:], book: book)
    else { return nil }
    let name = readName(.tunnels, index: index, fields)
    _ = fields.required("kind", Self.tunnelKindForm)
    let hub = fields.required("hub", .name)
    guard let kind else { return nil }
    if kind == .external {
      let device = fields.required("device", .interface)
      guard let name, let hub, let device else { return nil }
      return Tunnel(name: name, kind: .external(device: device), hub: hub)
    }
    return readOwnTunnel(kind, name, hub, fields)
  }

  private struct Inner {
    var local: InterfaceAddress
    var remote: IPv4Address?
  }

  private func readOwnTunnel(_ word: TunnelKind, _ name: Name?, _ hub: Name?, _ fields: FieldReader) -> Tunnel? {
    if let name, name.text.utf8.count > RuleSetBounds.tunnelName {
      fields.complain(
        "name",
        "expected at most \(RuleSetBounds.tunnelName) characters, found \(name.text.utf8.count)"
          + " (it becomes part of the device's name)")
    }
    let uplink = fields.required("uplink", .interface)
    let kind: Tunnel.Kind?
    switch word {
    case .gre: kind = .gre(key: fields.optional("key", .integer(0...Int64(UInt32.max))).map { UInt32($0) })
    case .ipip: kind = .ipip
    case .ipsec: kind = fields.required("profile", .name).map { .ipsec(profile: $0) }
    case .external: kind = nil
    }
    let protection = word == .ipsec ? nil : fields.optional("protected_by", .name)
    let mtu = fields.optional("mtu", .integer(RuleSetBounds.mtu, of: "bytes"))
    let inner = readInner(fields)
    guard let name, let hub, let kind, let uplink else { return nil }
    return Tunnel(
      name: name, kind: kind, hub: hub, uplink: uplink, innerLocal: inner?.local, innerRemote: inner?.remote,
      mtu: mtu.map { Int($0) }, protection: protection)
  }

  private func readInner(_ tunnel: FieldReader) -> Inner? {
    guard let fields = tunnel.object("inner", keys: ["local", "remote"]) else { return nil }
    let local = fields.required("local", .interfaceAddress)
    let remote = fields.optional("remote", .hostAddress)
    guard let local else { return nil }
    if fields["remote"] == nil && local.length == 32 {
      fields.complain("remote", "missing; a local address with /32 needs it")
    }
    if let remote { check(remote, against: local, fields) }
    return Inner(local: local, remote: remote)
  }

  private func check(_ remote: IPv4Address, against local: InterfaceAddress, _ fields: FieldReader) {
    let subnet = local.subnet
    if remote == local.address {
      fields.complain("remote", "expected the hub's inner address, found this router's own, \(remote)")
    } else if local.length < 32 && !subnet.contains(remote) {
      fields.complain("remote", "expected an address in \(subnet), where the local one is, found \(remote)")
    } else if local.length < 31 && (remote.value == subnet.range.lowerBound || remote.value == subnet.range.upperBound)
    {
      fields.complain("remote", "expected an address of a host, found the network's or broadcast address of \(subnet)")
    }
  }

  mutating func readPaths(_ top: FieldReader) {
    paths = top.objects("paths", 0...RuleSetBounds.paths) { index, value, path in
      guard
        let fields = FieldReader(value, at: path, keys: ["name", "tunnel", "uplink", "quorum", "limits"], book: book)
      else { return nil }
      let name = readName(.paths, index: index, fields)
      let tunnel = fields.optional("tunnel", .name)
      let uplink = fields.optional("uplink", .interface)
      let isOneWay = (fields["tunnel"] == nil) != (fields["uplink"] == nil)
      if !isOneWay {
        let found = fields["tunnel"] == nil ? "neither" : "both"
        book.complain(path, "expected either \"tunnel\" or \"uplink\", found \(found)")
      }
      let quorum = fields.optional("quorum", .integer(1...Int64(RuleSetBounds.probes), of: "probes")).map { Int($0) }
      let limits = readLimits(fields)
      guard let name, isOneWay else { return nil }
      if let tunnel { return Path(name: name, way: .tunnel(tunnel), quorum: quorum, limits: limits) }
      return uplink.map { Path(name: name, way: .uplink($0), quorum: quorum, limits: limits) }
    }
  }
}
