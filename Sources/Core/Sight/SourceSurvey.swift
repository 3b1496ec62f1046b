package import RuleSets

/// How a rule's sources differ from what the kernel has.
package struct SourceIssue: Hashable, Sendable {
  /// How a device and the rule's sources do not fit together.
  package enum Kind: Hashable, Sendable {
    /// There is no such device.
    case absent
    /// It is a part of another (a bridge, a bond), by whose name its packets come in.
    case part(of: InterfaceName)
    /// Another stands on it (a VLAN, a macvlan of VRRP) and has addresses of the same network: what comes in by that one
    /// has its name.
    case covered(by: InterfaceName)
    /// The sources are behind another device than any of the rule's.
    case elsewhere
  }

  package var kind: Kind
  /// That the rule counts on; of `elsewhere` the one that has its sources.
  package var device: InterfaceName
  /// The rule itself names the device; else `lans` of agent.toml does.
  package var isNamed: Bool
  /// A prefix of the rule, and the device that has it.
  package var prefix: IPv4Prefix?
  package var instead: InterfaceName?
  /// A packet of the sources and the device that it comes in by, to see whether the rule takes it.
  package var sample: SourceSurvey.Entrance?

  package init(
    _ kind: Kind, _ device: InterfaceName, isNamed: Bool, prefix: IPv4Prefix? = nil, instead: InterfaceName? = nil,
    sample: SourceSurvey.Entrance? = nil
  ) {
    self.kind = kind
    self.device = device
    self.isNamed = isNamed
    self.prefix = prefix
    self.instead = instead
    self.sample = sample
  }

  package var words: String {
    let place = instead.map { ", and \(prefix.map(\.description) ?? "its network") is behind \($0)" } ?? ""
    switch kind {
    case .absent: return "interface \(device) does not exist\(place)"
    case .part(let master): return "interface \(device) is a port of \(master), so its packets come in by \(master)"
    case .covered(let upper):
      return "\(upper) sits on top of \(device) and takes its network's packets under its own "
        + "name"
    case .elsewhere:
      return "\(prefix.map(\.description) ?? "its network") is behind \(device), which is not one of its interfaces"
    }
  }

  func step(for rule: String) -> String {
    let where_ = isNamed ? "lans in agent.toml and sources of rule \(rule)" : "lans in agent.toml"
    switch kind {
    case .absent:
      return instead.map { "\(where_) name \(device), which does not exist: put \($0) in its place, or rename it back" }
        ?? "\(where_) name \(device), which does not exist: ip link shows what does"
    case .part(let master):
      return "\(where_) name \(device), which is a port of \(master) now: put \(master) in its place"
    case .covered(let upper): return "name \(upper) beside \(device) in \(where_)"
    case .elsewhere: return "name \(device), which has \(prefix.map(\.description) ?? "its network"), in \(where_)"
    }
  }
}

/// Where each rule's clients are, according to the kernel's devices, addresses and routes.
package struct SourceSurvey: Equatable, Sendable {
  /// A device that packets of a rule come in by, and an address that one may come from: no router's, no network's.
  package struct Entrance: Hashable, Sendable {
    package var device: InterfaceName
    package var source: IPv4Address
    package init(_ device: InterfaceName, _ source: IPv4Address) {
      self.device = device
      self.source = source
    }
  }

  package var entrances: [Entrance] = []
  package var issues: [SourceIssue] = []

  /// What is looked at.
  package struct View {
    package var lans: [InterfaceName]
    /// Uplinks and tunnels: no client is behind one.
    package var ways: Set<InterfaceName>
    package var links: [InterfaceName: Link]
    package var addresses: [InterfaceName: [InterfaceAddress]]
    /// The device by which the main table reaches an address, other than by a default route; nil if there is none.
    package var leading: (IPv4Address) -> InterfaceName?

    package init(
      lans: [InterfaceName], ways: Set<InterfaceName>, links: [InterfaceName: Link],
      addresses: [InterfaceName: [InterfaceAddress]], leading: @escaping (IPv4Address) -> InterfaceName?
    ) {
      self.lans = lans
      self.ways = ways
      self.links = links
      self.addresses = addresses
      self.leading = leading
    }
  }

  /// - Parameters:
  ///   - sources: whose packets a rule takes.
  ///   - ranges: its prefixes as ranges; ignored where it has none.
  package init(_ sources: Sources, ranges: [ClosedRange<UInt32>], _ view: View) {
    var surveyor = Surveyor(sources, ranges: ranges, view)
    surveyor.look()
    self = surveyor.found
  }

  fileprivate init() {}
}

/// One survey under way.
private struct Surveyor {
  typealias Entrance = SourceSurvey.Entrance

  /// How many of a rule's ranges are followed to a device that has no address in them.
  private static let followed = 4

  private let view: SourceSurvey.View
  private let sources: Sources
  /// The ranges of the rule's prefixes; empty if it has none.
  private let ranges: [ClosedRange<UInt32>]
  private let names: [InterfaceName]
  private let own: Set<IPv4Address>
  private(set) var found = SourceSurvey()

  init(_ sources: Sources, ranges: [ClosedRange<UInt32>], _ view: SourceSurvey.View) {
    self.view = view
    self.sources = sources
    self.ranges = sources.prefixes.isEmpty ? [] : ranges
    names = sources.interfaces.isEmpty ? view.lans : sources.interfaces
    own = Set(view.addresses.values.joined().map(\.address))
  }

  mutating func look() {
    for device in names { look(at: device) }
    for device in names where view.links[device] != nil { lookAbove(device) }
    if !ranges.isEmpty, found.entrances.isEmpty { follow() }
    // One of the router's LANs may be unplugged: the rule's networks are behind another.
    if !isNamed, !found.entrances.isEmpty { found.issues.removeAll { $0.kind == .absent } }
  }

  private var isNamed: Bool { !sources.interfaces.isEmpty }

  private mutating func look(at device: InterfaceName) {
    guard let link = view.links[device] else {
      let other = others().first
      found.issues.append(
        SourceIssue(
          .absent, device, isNamed: isNamed, prefix: other.map(\.prefix), instead: other.map(\.entrance.device),
          sample: other.map(\.entrance)))
      return
    }
    if let master = link.stack?.master {
      if names.contains(master) { return }
      let sample = hosts(on: master).first ?? hosts(on: device).first.map { Entrance(master, $0.source) }
      found.issues.append(SourceIssue(.part(of: master), device, isNamed: isNamed, instead: master, sample: sample))
      return
    }
    found.entrances += hosts(on: device)
  }

  /// Devices on top of it that have addresses of the rule's networks, or of its own where the rule names none.
  private mutating func lookAbove(_ device: InterfaceName) {
    let own = (view.addresses[device] ?? []).map(\.subnet.range)
    // If it has lost its only address, a device on top of it may have that now, unless the rule names such a device.
    let isBare = ranges.isEmpty && own.isEmpty && !names.contains { view.links[$0]?.stack?.lower == device }
    let networks = isBare ? [UInt32.min...UInt32.max] : ranges.isEmpty ? own : ranges
    for (name, link) in view.links.sorted(by: { $0.key < $1.key })
    where link.stack?.lower == device && !names.contains(name) && !view.ways.contains(name) {
      let inside = (view.addresses[name] ?? []).first { address in
        networks.contains { $0.overlaps(address.subnet.range) }
      }
      guard let inside else { continue }
      // A virtual router's address stands alone: its clients are those of the network below.
      let sample = hosts(on: name).first ?? hosts(on: device).first.map { Entrance(name, $0.source) }
      found.issues.append(
        SourceIssue(
          .covered(by: name), device, isNamed: isNamed, prefix: inside.subnet, instead: name, sample: sample))
    }
  }

  /// No interface of the rule has an address in its networks: they may be behind another router, or by another device.
  private mutating func follow() {
    for range in ranges.prefix(Self.followed) {
      guard let host = host(in: range), let device = view.leading(host) else { continue }
      if names.contains(device), view.links[device]?.stack?.master == nil {
        found.entrances.append(Entrance(device, host))
      } else if found.issues.isEmpty, !view.ways.contains(device) {
        found.issues.append(
          SourceIssue(
            .elsewhere, device, isNamed: isNamed, prefix: sources.prefixes.first { $0.contains(host) },
            sample: Entrance(device, host)))
      }
    }
  }

  /// Devices that the rule does not name, with the part of its networks that each has.
  private func others() -> [(prefix: IPv4Prefix, entrance: Entrance)] {
    guard !ranges.isEmpty else { return [] }
    let devices = view.addresses.keys.filter { !names.contains($0) && !view.ways.contains($0) }.sorted()
    let near = devices.flatMap { device in
      hosts(on: device).compactMap { entrance in
        sources.prefixes.first { $0.contains(entrance.source) }.map { (prefix: $0, entrance: entrance) }
      }
    }
    if !near.isEmpty { return near }
    return ranges.prefix(Self.followed).compactMap { range in
      guard let host = host(in: range), let device = view.leading(host), !names.contains(device),
        !view.ways.contains(device), let prefix = sources.prefixes.first(where: { $0.contains(host) })
      else { return nil }
      return (prefix, Entrance(device, host))
    }
  }

  /// One of each of the device's networks that the rule is for.
  private func hosts(on device: InterfaceName) -> [Entrance] {
    (view.addresses[device] ?? []).compactMap { address in
      let subnet = address.subnet
      guard subnet.length < 32 else { return nil }
      let inside = ranges.isEmpty ? [subnet.range] : ranges.filter { $0.overlaps(subnet.range) }
      return inside.lazy.compactMap { host(in: $0.clamped(to: subnet.range), of: subnet) }.first
        .map { Entrance(device, $0) }
    }
  }

  /// An address there that a client may have.
  private func host(in range: ClosedRange<UInt32>, of subnet: IPv4Prefix? = nil) -> IPv4Address? {
    let ends = subnet.map { $0.length < 31 ? [$0.range.lowerBound, $0.range.upperBound] : [] } ?? []
    // The router has a few addresses of a network, and not all of them.
    let last = min(UInt64(range.upperBound), UInt64(range.lowerBound) + 64)
    for value in UInt64(range.lowerBound)...last {
      let address = IPv4Address(value: UInt32(value))
      // A network without a device here still has its first and last address.
      if subnet == nil, range.count > 2, UInt32(value) == range.lowerBound { continue }
      if ends.contains(UInt32(value)) || own.contains(address) || !address.isHost { continue }
      return address
    }
    return nil
  }
}
