internal import CMnl
internal import Glibc

/// What a route's message begins with.
package struct RouteHeader: Sendable {
  /// Of its destination, in bits.
  package var length: UInt8
  package var scope: UInt8
  /// rtm_protocol: who made it.
  package var origin: UInt8
  package var isMain: Bool

  init(_ header: rtmsg) {
    length = header.rtm_dst_len
    scope = header.rtm_scope
    origin = header.rtm_protocol
    // Tables from 256 on have RT_TABLE_COMPAT here.
    isMain = Int32(header.rtm_table) == Int32(RT_TABLE_MAIN.rawValue)
  }
}

extension RoutingSocket {
  /// IPv4 routes; of one table, of one origin, or of all (nil). A table that does not exist has none.
  package mutating func routes(table: UInt32? = nil, origin: UInt8? = nil) throws(NetlinkFailure) -> [RouteMessage] {
    var routes: [RouteMessage] = []
    try eachRoute(table: table, origin: origin, restart: { routes = [] }) { routes.append($0) }
    return routes
  }

  /// The same without keeping them: a main table may hold a million.
  ///
  /// - Parameter isWanted: what is not is not parsed.
  package mutating func eachRoute(
    table: UInt32? = nil, origin: UInt8? = nil,
    isWanted: (RouteHeader) -> Bool = { _ in true }, restart: () -> Void,
    _ body: (RouteMessage) -> Void
  ) throws(NetlinkFailure) {
    do throws(NetlinkFailure) {
      try conversation.dump("ip route show", type: RTM_GETROUTE) {
        $0.routeFilter(table: table ?? 0, origin: origin ?? 0)
      } restart: {
        restart()
      } each: { message in
        if let header = message.payload.load(rtmsg.self), !isWanted(RouteHeader(header)) { return true }
        guard let route = RouteMessage(message) else { return false }
        if (table == nil || route.table == table) && (origin == nil || route.origin == origin) { body(route) }
        return true
      }
    } catch {
      guard table != nil, error.errno == ENOENT else { throw error }
      restart()
    }
  }

  /// A nexthop object; nil if there is none with this number, or the kernel lacks them (before 5.3).
  package mutating func nexthop(_ object: UInt32) throws(NetlinkFailure) -> NexthopMessage? {
    var found: NexthopMessage?
    do throws(NetlinkFailure) {
      try conversation.request("ip nexthop get id \(object)", type: Int(RTM_GETNEXTHOP)) {
        $0.nexthop(object)
      } answer: { message in
        found = NexthopMessage(message)
        return found != nil
      }
    } catch {
      guard error.isMissing || error.errno == EOPNOTSUPP else { throw error }
    }
    return found
  }

  /// Every path MTU that was learnt and has not expired, of all tables. A dump that something comes between may lack some
  /// and is as good: they come and go anyway.
  package mutating func eachPathMTU(_ body: (PathMTUMessage) -> Void) throws(NetlinkFailure) {
    do throws(NetlinkFailure) {
      try conversation.dump("ip route show cache", type: RTM_GETROUTE, attempts: 1) {
        $0.exceptionFilter()
      } restart: {
      } each: { message in
        if let known = PathMTUMessage(message) { body(known) }
        return true
      }
    } catch {
      guard error.isInterrupted else { throw error }
    }
  }

  /// Adds the route, or replaces what has the same table, destination and metric: one message, so no packet falls between.
  package mutating func put(_ route: RouteMessage) throws(NetlinkFailure) {
    try conversation.request("ip route replace", type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE) {
      $0.route(route)
    }
  }

  /// `anyWay`: whatever the route's kind, device and gateway.
  package mutating func delete(_ route: RouteMessage, anyWay: Bool = false) throws(NetlinkFailure) {
    try conversation.request("ip route delete", type: RTM_DELROUTE) {
      $0.route(route, deleting: true, anyWay: anyWay)
    }
  }

  // MARK: Rules

  /// Rules of one family, in the kernel's order. A kernel without IPv6 answers EAFNOSUPPORT.
  package mutating func rules(_ family: RuleMessage.Family = .ipv4) throws(NetlinkFailure) -> [RuleMessage] {
    var rules: [RuleMessage] = []
    try conversation.dump(family == .ipv4 ? "ip rule" : "ip -6 rule", type: RTM_GETRULE) { builder in
      var header = fib_rule_hdr()
      header.family = family.number
      builder.header(header)
    } restart: {
      rules = []
    } each: { message in
      guard let rule = RuleMessage(message) else { return false }
      rules.append(rule)
      return true
    }
    return rules
  }

  /// `twice`: even where an equal one is there.
  package mutating func add(_ rule: RuleMessage, twice: Bool = false) throws(NetlinkFailure) {
    try conversation.request("ip rule add", type: RTM_NEWRULE, flags: NLM_F_CREATE | (twice ? 0 : NLM_F_EXCL)) {
      $0.rule(rule)
    }
  }

  /// Deletes the first rule that has all that this one says, and perhaps more: the kernel compares only what is given.
  package mutating func deleteFirst(like rule: RuleMessage) throws(NetlinkFailure) {
    try conversation.request("ip rule delete", type: RTM_DELRULE) { $0.rule(rule) }
  }
}
