internal import RuleSets

/// Ways out that nobody has configured: devices that some table has a default route by, as another program's ip rule
/// before ours may lead there (a VPN's, a failover script's). Strict traffic leaves by none of them, except where main
/// itself has a more specific route by one: a site, the device's own subnet.
extension EdgeCompiler {
  static var exitSet: String { "exit_sites" }
  static var ipv6Exit: String { "other_exit" }
  /// More destinations are not let through: there main has a table of the internet.
  static var mostExitSites: Int { 256 }
  static var mostIPv6ExitSites: Int { 64 }

  private var knownDevices: Set<InterfaceName> {
    Set(layout.configuration.lans + layout.configuration.uplinks.map(\.interface) + [.loopback])
      .union(layout.tunnelWays.map(\.device))
      .union(layout.activeRules.flatMap(\.rule.sources.interfaces))
  }

  private var otherExits: [InterfaceName] { actual.exits.subtracting(knownDevices).sorted() }

  /// Tunnels refuse IPv6 by themselves.
  var ipv6OtherExits: [InterfaceName] {
    let blocked = ipv6Blocks
    guard !blocked.isEmpty else { return [] }
    return actual.ipv6Exits.subtracting(knownDevices).subtracting(blocked.map(\.interface)).sorted()
  }

  // MARK: IPv4

  private var exitSites: [ClosedRange<UInt32>] {
    let exits = Set(otherExits)
    let sites = actual.sites.all.filter { $0.prefix.length > 1 && $0.devices.contains(where: exits.contains) }
    let ranges = AddressRanges.merged(sites.map(\.prefix))
    return actual.sites.areMore || ranges.count > Self.mostExitSites ? [] : ranges
  }

  /// Part of `outward`, after the rules that hold uplinks.
  func otherExitRules() -> [NftRule] {
    let isPartial = !exitSites.isEmpty
    return otherExits.map { exit in
      NftRule(
        [.outgoing(exit)] + (isPartial ? [.ipv4, .destinationNotIn(set: Self.exitSet)] : []), [.jump(chain: "guard")],
        comment: "about to leave by \(exit)")
    }
  }

  func exitSets() -> [NftSet] {
    guard layout.isStrict, !exitSites.isEmpty else { return [] }
    return [NftSet(name: Self.exitSet, ranges: exitSites)]
  }

  // MARK: IPv6

  func ipv6ExitChains() -> [NftChain] {
    let exits = Set(ipv6OtherExits)
    guard !exits.isEmpty else { return [] }
    let sites = actual.ipv6Sites.all.filter { $0.prefix.length > 3 && $0.devices.contains(where: exits.contains) }
    let kept = actual.ipv6Sites.areMore || sites.count > Self.mostIPv6ExitSites ? [] : sites
    let rules = kept.flatMap { site in
      site.devices.filter(exits.contains).map {
        NftRule(
          [.outgoing($0), .ipv6, .ipv6DestinationIn(site.prefix)], [.return], comment: "main's own route")
      }
    }
    return [
      NftChain(
        name: Self.ipv6Exit,
        rules: rules + [NftRule([], [.count, .reject], comment: "no IPv6 by another way out")])
    ]
  }
}
