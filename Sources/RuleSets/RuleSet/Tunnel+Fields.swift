extension Tunnel: Described {
  package static let blank = Tunnel(name: .blank, kind: .ipip, hub: .blank)

  private static let kindForm = Form<KindWord>.choice(unsupported: [
    "wireguard": "a tunnel that something else makes is \"external\""
  ])

  package mutating func fields(_ fields: Fields) {
    /// At most 12 characters, except for `external`: `bh-` and the name make the device's name.
    fields.name(&name, of: .tunnels)
    /// `gre`: GRE over IPv4 (RFC 2784). `ipip`: IPv4 in IPv4 (RFC 2003). `ipsec`: packets leave in ESP, in tunnel mode.
    /// `external`: a device that another program makes (WireGuard, a vendor's VPN); the agent uses it and never makes,
    /// changes or deletes it.
    let kind = fields.kind("kind", Self.kindForm, &kind.kindWord)
    /// The router at the far end.
    /// - Value: a hub's name
    fields.required("hub", .name, &hub)
    fields.only(.gre, .ipip, .ipsec, of: kind) {
      fields.shorter("name", 12, than: name.text, because: "it becomes part of the device's name")
      /// The uplink of this router that the outer packets leave by.
      fields.required("uplink", .interface, &uplink)
    }
    fields.only(.gre, of: kind) {
      /// RFC 2890. Without it the packets carry no key, which is not the same as key 0.
      /// - Default: no key
      fields.optional("key", Form<Int64>.integer(0...Int64(UInt32.max)).mapped { UInt32($0) }, &self.kind.key)
    }
    fields.only(.ipsec, of: kind) {
      /// How the two ends prove who they are, and which keys they make.
      /// - Value: an IPsec profile's name
      fields.required("profile", .name, &self.kind.profile)
    }
    fields.only(.gre, .ipip, of: kind) {
      /// The outer packets travel in an SA in transport mode; unencrypted ones of this protocol neither leave for the hub
      /// nor are accepted from it. It is for hubs that route over GRE anyway; otherwise `ipsec` is simpler and leaves more
      /// of each packet.
      /// - Value: an IPsec profile's name
      /// - Default: in the clear
      fields.optional("protected_by", .name, &protection)
    }
    fields.only(.gre, .ipip, .ipsec, of: kind) {
      /// The addresses inside.
      /// - Default: unnumbered
      fields.object("inner", &inner)
      /// Bytes of the largest inner packet. By default the uplink's MTU, or that of the path to the hub where the kernel has
      /// learnt a smaller one, less the overhead: 20 for IPIP, 24 for GRE, 28 with key, and the cost of ESP. A tunnel
      /// follows a path that gets narrower within two seconds where a router on the way says so (ICMP "fragmentation
      /// needed"), and one that gets wider once the kernel has forgotten what it learnt, after ten minutes; set `mtu` where
      /// ICMP is lost on the way. TCP's MSS is clamped to 40 less.
      /// - Default: computed
      fields.optional("mtu", .count(576...9000, of: "bytes"), &mtu)
    }
    fields.only(.external, of: kind) {
      /// The device that the other program makes.
      fields.required("device", .interface, &self.kind.device)
    }
  }

  package static func refusal(of key: String, in kind: String?, known kinds: [String]) -> String? {
    kinds.isEmpty ? nil : kind.flatMap { KindWord(rawValue: $0) }?.refusal(of: key)
  }
}

extension Tunnel {
  /// The words that `kind` may have.
  enum KindWord: String, CaseIterable, Writable {
    case gre, ipip, ipsec, external

    /// Why a tunnel of this kind has not a key that another kind has.
    func refusal(of key: String) -> String? {
      switch (self, key) {
      case (.external, _): "an external tunnel's device is set up by what makes it"
      case (_, "device"): "only an external tunnel names its device"
      case (_, "key"): "only a gre tunnel has a key"
      case (_, "profile"): "IPsec around it is \"protected_by\""
      case (_, "protected_by"): "an ipsec tunnel names its \"profile\""
      default: nil
      }
    }
  }

  /// The addresses inside.
  struct Inner: Described {
    var local = InterfaceAddress.blank
    var remote: IPv4Address?

    static let blank = Inner()

    mutating func fields(_ fields: Fields) {
      /// Our address inside the tunnel, with its subnet, /8 to /32.
      /// - Default: unnumbered
      fields.required("local", .interfaceAddress, &local)
      /// The hub's address inside; in the subnet of `local`. Required where `local` is a /32.
      /// - Default: none
      fields.optional("remote", .hostAddress, &remote)
      guard fields.isReading, fields.isWhole else { return }
      if !fields.has("remote") && local.length == 32 {
        fields.complain("remote", "missing; a local address with /32 needs it")
      }
      if let remote { check(remote, fields) }
    }

    private func check(_ remote: IPv4Address, _ fields: Fields) {
      let subnet = local.subnet
      if remote == local.address {
        fields.complain("remote", "expected the hub's inner address, found this router's own, \(remote)")
      } else if local.length < 32 && !subnet.contains(remote) {
        fields.complain("remote", "expected an address in \(subnet), where the local one is, found \(remote)")
      } else if local.length < 31 && [subnet.range.lowerBound, subnet.range.upperBound].contains(remote.value) {
        fields.complain(
          "remote", "expected an address of a host, found the network's or broadcast address of \(subnet)")
      }
    }
  }

  fileprivate var inner: Inner? {
    get { innerLocal.map { Inner(local: $0, remote: innerRemote) } }
    set { (innerLocal, innerRemote) = (newValue?.local, newValue?.remote) }
  }
}

/// What kinds hold, as the document's fields: where another kind is set, to set one has no effect.
extension Tunnel.Kind {
  fileprivate var kindWord: Tunnel.KindWord {
    get {
      switch self {
      case .gre: .gre
      case .ipip: .ipip
      case .ipsec: .ipsec
      case .external: .external
      }
    }
    set {
      guard newValue != kindWord else { return }
      self =
        switch newValue {
        case .gre: .gre(key: nil)
        case .ipip: .ipip
        case .ipsec: .ipsec(profile: .blank)
        case .external: .external(device: .blank)
        }
    }
  }

  fileprivate var key: UInt32? {
    get { if case .gre(let key) = self { key } else { nil } }
    set { if case .gre = self { self = .gre(key: newValue) } }
  }

  fileprivate var profile: Name? {
    get { if case .ipsec(let profile) = self { profile } else { nil } }
    set { if case .ipsec = self, let newValue { self = .ipsec(profile: newValue) } }
  }

  fileprivate var device: InterfaceName? {
    get { if case .external(let device) = self { device } else { nil } }
    set { if case .external = self, let newValue { self = .external(device: newValue) } }
  }
}
