package import RuleSets

/// Which of its addresses the router sends from, when nothing names one.
package struct SourceAddress {
  private let actual: ActualState

  package init(_ actual: ActualState) { self.actual = actual }

  /// An address with where it is.
  package struct Place: Equatable {
    package var address: InterfaceAddress
    package var device: InterfaceName
  }

  /// The kernel's choice (inet_select_addr, net/ipv4/devinet.c): of the device's primary addresses that are good far
  /// enough the one whose subnet holds `destination`, else the first; without any, the first of the other devices, in
  /// the order of their numbers. Except for VRFs, each of which chooses among its own.
  ///
  /// - Parameters:
  ///   - destination: the gateway's address where the route has one; nil: none in particular.
  ///   - scope: the route's.
  ///   - isEligible: what is required of an address beyond the kernel's own conditions.
  package func choice(
    by device: InterfaceName, to destination: IPv4Address?, scope: Scope,
    where isEligible: (Place) -> Bool = { _ in true }
  ) -> IPv4Address? {
    let own = primaries(of: device).filter { self.scope(of: $0) <= scope && isEligible($0) }
    if let destination, let near = own.first(where: { holds($0, destination) }) { return near.address.address }
    if let first = own.first { return first.address.address }
    // Those of link scope are another link's.
    return elsewhere(than: device).first {
      self.scope(of: $0) <= scope && self.scope(of: $0) < .link && isEligible($0)
    }?
    .address.address
  }

  /// What the kernel masquerades with (nf_nat_masquerade_ipv4, net/netfilter/nf_nat_masquerade.c): its choice by the
  /// gateway alone. It knows nothing of a route's own source.
  package func masquerade(by device: InterfaceName, gateway: Gateway?) -> IPv4Address? {
    choice(by: device, to: gateway?.ipv4, scope: .universe)
  }

  /// The device's addresses that the kernel may choose, in its order: none that is secondary.
  package func primaries(of device: InterfaceName) -> [Place] {
    (actual.addresses[device] ?? []).map { Place(address: $0, device: device) }.filter { !standing(of: $0).isSecondary }
  }

  /// The kernel's data about the address in this place.
  package func standing(of place: Place) -> AddressStanding { actual.standing(of: place.address, on: place.device) }

  /// Where an address is; nil if the router does not have it.
  package func place(of address: IPv4Address) -> Place? {
    for (device, addresses) in actual.addresses {
      if let own = addresses.first(where: { $0.address == address }) { return Place(address: own, device: device) }
    }
    return nil
  }

  private func elsewhere(than device: InterfaceName) -> [Place] {
    actual.addresses.keys.filter { $0 != device }
      .compactMap { name in actual.links[name].map { (name, $0) } }.filter { !$0.1.isInVRF }
      .sorted { $0.1.index.value < $1.1.index.value }.flatMap { primaries(of: $0.0) }
  }

  private func scope(of place: Place) -> Scope {
    place.address.address.isLoopback ? max(.host, standing(of: place).scope) : standing(of: place).scope
  }

  /// inet_ifa_match: with a peer the subnet is the peer's.
  private func holds(_ place: Place, _ address: IPv4Address) -> Bool {
    guard let peer = standing(of: place).peer else { return place.address.subnet.contains(address) }
    return IPv4Prefix(containing: peer, length: place.address.length)?.contains(address) ?? false
  }
}

extension SourceAddress {
  /// Why no traffic can leave with this address, in an operator's words that follow the address; nil if it can.
  package func flaw(of place: Place) -> String? {
    let standing = standing(of: place)
    if place.address.address.isLinkLocal { return "is link-local: no DHCP lease" }
    if scope(of: place) >= .host { return "has host scope: it is valid on this router only" }
    if scope(of: place) >= .link { return "has link scope: it is valid on its own link only" }
    switch standing.flaw {
    case .tentative?: return "is tentative: another host may have it too"
    case .duplicate?: return "is a duplicate: another host has it too"
    case .deprecated?: return "is deprecated: its preferred lifetime is over"
    case nil: return nil
    }
  }

  /// Why none of a device's addresses can be used; nil if one can.
  package func obstacle(of device: InterfaceName) -> String? {
    let places = primaries(of: device)
    guard let first = places.first else { return "no IPv4 address" }
    let flaws = places.compactMap { place in flaw(of: place).map { (place.address.address, $0) } }
    guard flaws.count == places.count, let flaw = flaw(of: first) else { return nil }
    if flaws.count == 1 { return "its only address, \(first.address.address), \(flaw)" }
    return "none of its addresses will do: " + flaws.map { "\($0) \($1)" }.joined(separator: "; ")
  }
}
