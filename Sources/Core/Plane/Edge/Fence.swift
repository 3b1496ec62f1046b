internal import RuleSets

/// What belts may not leave to the main table: destinations to which main has a better route than a default, but one
/// that leads out by an uplink. Each is a `goto` by destination that comes before the belts and serves all of them, so
/// that their numbers do not multiply.
///
///     p+67  to 10.1.1.0/24    goto p+90    by an uplink, inside of what is not
///     p+68  to 10.1.0.0/16    goto p+80    by another device, inside of what is
///     p+69  to 10.0.0.0/8     goto p+90    by an uplink
///
/// A prefix inside another comes before it, because the kernel prefers the longest.
struct Fence<Prefix: AddressPrefix> {
  enum Way: Equatable {
    /// Main may be asked.
    case main
    /// Main may be asked for the sources of those rules alone that have a private line of their own.
    case privateLine
    /// Main is not asked.
    case shut
  }

  struct Post: Equatable {
    var prefix: Prefix
    var way: Way
    /// In how many others it lies.
    var depth: Int
  }

  /// How many destinations are distinguished.
  static var maximum: Int { 256 }
  static var deepest: Int { 29 }

  let posts: [Post]
  /// There are more destinations than can be told apart: of main's routes belts leave nothing but the router's own subnets.
  let isClosed: Bool

  /// - Parameter way: of a route by these devices.
  init(_ sites: MainSites<Prefix>, way: ([InterfaceName]) -> Way) {
    if !sites.areMore {
      let posts = Self.posts(sites.all.map { ($0.prefix, way($0.devices)) })
      if posts.count <= Self.maximum, posts.allSatisfy({ $0.depth <= Self.deepest }) {
        (self.posts, isClosed) = (posts, false)
        return
      }
    }
    let shut = sites.all.filter { way($0.devices) != .main }.map(\.prefix)
    let own = sites.all.filter { site in
      site.isConnected && way(site.devices) == .main && !shut.contains { site.prefix.contains($0) }
    }
    let posts = Self.posts([(.all, .shut)] + own.map { ($0.prefix, .main) })
    self.posts = posts.count <= Self.maximum ? posts : Self.posts([(.all, .shut)])
    isClosed = true
  }

  /// Without those that say the same as what they lie in.
  private static func posts(_ ascending: [(Prefix, Way)]) -> [Post] {
    var around: [Post] = []
    var posts: [Post] = []
    for (prefix, way) in ascending {
      while let last = around.last, !last.prefix.contains(prefix) { around.removeLast() }
      guard way != around.last?.way ?? .main else { continue }
      let post = Post(prefix: prefix, way: way, depth: around.count)
      around.append(post)
      posts.append(post)
    }
    return posts
  }
}

extension Fence where Prefix == IPv4Prefix {
  func rules(in ranges: KernelRanges) -> [RoutingRule] {
    posts.map { post in
      var rule = self.rule(.ipv4, post, in: ranges)
      rule.destination = post.prefix == .all ? nil : post.prefix
      return rule
    }
  }
}

extension Fence where Prefix == IPv6Prefix {
  func rules(in ranges: KernelRanges) -> [RoutingRule] {
    posts.map { post in
      var rule = self.rule(.ipv6, post, in: ranges)
      rule.ipv6Destination = post.prefix == .all ? nil : post.prefix
      return rule
    }
  }

  /// No rule has a way of its own for IPv6: every uplink is shut.
  init(_ sites: MainSites<IPv6Prefix>, uplinks: [UplinkConfiguration]) {
    let shut = Set(uplinks.map(\.interface))
    self.init(sites) { $0.contains(where: shut.contains) ? .shut : .main }
  }
}

extension Fence {
  fileprivate func rule(_ family: RoutingRule.Family, _ post: Post, in ranges: KernelRanges) -> RoutingRule {
    let target: UInt32 =
      switch post.way {
      case .main: 80
      case .privateLine: 85
      case .shut: 90
      }
    return RoutingRule(
      family, priority: ranges.priority(69 - UInt32(post.depth)), action: .goto(ranges.priority(target)))
  }
}

extension EdgeCompiler {
  /// What stands before the belts of IPv4.
  func fenceRules() -> [RoutingRule] {
    let lines = ownPrivateLines
    let own = Set(lines.flatMap(\.lines))
    let uplinks = Set(layout.configuration.uplinks.map(\.interface))
    let fence = Fence(actual.sites) { devices in
      let ways = devices.filter(uplinks.contains)
      return ways.isEmpty ? .main : ways.allSatisfy(own.contains) ? .privateLine : .shut
    }
    let rules = fence.rules(in: layout.configuration.kernel)
    guard fence.posts.contains(where: { $0.way == .privateLine }) else { return rules }
    let tables = Set(lines.map(\.table))
    var asked: Set<RoutingRule> = []
    return rules
      + layout.belts.all.filter { tables.contains($0.table) }.compactMap { belt in
        let rule = RoutingRule(
          priority: priority(85), source: belt.source, incoming: belt.incoming, action: mainWithoutDefault)
        return asked.insert(rule).inserted ? rule : nil
      }
  }

  /// The tables of strict egresses that may lead out by a private line, and those lines.
  private var ownPrivateLines: [(table: TableID, lines: [InterfaceName])] {
    let lines = Set(layout.configuration.uplinks.filter(\.isPrivate).map(\.interface))
    return layout.activeEgresses.filter(\.egress.isStrict).compactMap { active in
      let own = (layout.ownUplinks(of: active.egress) + layout.underlays(of: active.egress)).filter(lines.contains)
      return own.isEmpty ? nil : (active.table, own)
    }
  }

  /// What stands before the belts of IPv6.
  func ipv6FenceRules() -> [RoutingRule] {
    Fence(actual.ipv6Sites, uplinks: layout.configuration.uplinks).rules(in: layout.configuration.kernel)
  }
}
