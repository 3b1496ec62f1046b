internal import Agent
internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

// IPv6, which is never steered: whether it leaves where it is to be blocked.

extension SeenIPv6 {
  /// A kernel without IPv6 forwards none.
  init(_ routing: inout RoutingSocket, _ translation: RouteTranslation) throws(NetlinkFailure) {
    self.init(isForwarded: Self.forwards)
    guard isForwarded else { return }
    do throws(NetlinkFailure) {
      for address in try routing.wideAddresses() {
        guard let name = RouteTranslation.name(of: address.index),
          let known = IPv6InterfaceAddress(IPv6Address(address.address), length: address.length)
        else { continue }
        addresses[name, default: []].append(known)
      }
      rules = try routing.rules(.ipv6).filter { !translation.isOurs($0) && $0.priority > 0 }.map(ForeignIPv6Rule.init)
    } catch {
      guard error.errno == EAFNOSUPPORT || error.errno == EOPNOTSUPP else { throw error }
      isForwarded = false
    }
  }

  /// ip6_forward (net/ipv6/ip6_output.c) asks for all devices at once.
  private static var forwards: Bool {
    do throws(SystemCallFailure) {
      return try BoundedFile.read("/proc/sys/net/ipv6/conf/all/forwarding", atMost: 16).first == UInt8(ascii: "1")
    } catch {
      return false
    }
  }
}

extension IPv6Question.Answer {
  /// By the entry of a table.
  init(_ route: WideRoute) {
    // RTN_LOCAL, RTN_ANYCAST and RTN_MULTICAST.
    if [.other(2), .other(4), .other(5)].contains(route.kind) {
      self = .local
    } else if route.kind == .unicast, let device = RouteTranslation.name(of: route.index) {
      self = .out(device, table: TableID(route.table), length: route.length)
    } else {
      self = .refused
    }
  }

  /// An answer that the kernel reports as an error (rt6_lookup's refusing entries); nil: it is a real error.
  init?(errno: Int32) {
    guard [ENETUNREACH, EHOSTUNREACH, EACCES, EPERM, EINVAL, EAGAIN].contains(errno) else { return nil }
    self = .refused
  }
}

extension WideLookup {
  init(_ question: IPv6Question, incoming: UInt32) {
    self.init(
      source: [question.source.high, question.source.low],
      destination: [question.destination.high, question.destination.low], incoming: incoming)
    protocolNumber = question.protocolNumber
    (sourcePort, destinationPort) = (question.sourcePort, question.port)
  }
}

extension ForeignIPv6Rule {
  init(_ rule: RuleMessage) {
    self.init(
      priority: RulePriority(rule.priority), mask: rule.mask, mark: rule.mark,
      table: rule.action == .lookup ? TableID(rule.table) : nil,
      source: IPv6Prefix(rule.ipv6Source, length: rule.sourceLength) ?? .all,
      destination: IPv6Prefix(rule.ipv6Destination, length: rule.destinationLength) ?? .all,
      incoming: rule.incoming.flatMap { InterfaceName($0) }, isInverted: rule.isInverted,
      selector: PacketSelector(rule.selectors))
  }
}

extension IPv6Address {
  /// Of its first and its last eight bytes.
  init(_ halves: [UInt64]) { self.init(high: halves.first ?? 0, low: halves.last ?? 0) }
}
