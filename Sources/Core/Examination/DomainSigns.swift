package import RuleSets

/// What was seen of those that fill the sets of steering rules with domains.
package struct DomainSigns: Equatable, Sendable {
  /// A dnsmasq of this router.
  package struct Process: Equatable, Sendable {
    package var number: Int
    /// It has CAP_NET_ADMIN, without which it cannot fill a set. It gives it up when it starts, unless its configuration
    /// names a set (main, src/dnsmasq.c).
    package var mayFill: Bool
    /// It began before the agent last wrote its file, and so has not read that.
    package var isOutdated: Bool

    package init(number: Int, mayFill: Bool, isOutdated: Bool) {
      (self.number, self.mayFill, self.isOutdated) = (number, mayFill, isOutdated)
    }
  }

  /// A client's connection to another resolver than the router's.
  package struct Bypass: Hashable, Comparable, Sendable {
    package var client: IPv4Address
    package var server: IPv4Address
    /// 53 or 853; 443 to one of the public resolvers that everybody knows.
    package var port: UInt16

    package init(client: IPv4Address, server: IPv4Address, port: UInt16) {
      (self.client, self.server, self.port) = (client, server, port)
    }

    /// Nil if such a connection is no sign of a resolver.
    package init?(_ flow: FlowTuple, isOwn: (IPv4Address) -> Bool) {
      guard let port = flow.port, [.tcp, .udp].contains(flow.protocol), !isOwn(flow.source), !isOwn(flow.destination),
        [53, 853].contains(port) || port == 443 && Self.publicResolvers.contains(flow.destination.description)
      else { return nil }
      self.init(client: flow.source, server: flow.destination, port: port)
    }

    /// Cloudflare, Google, Quad9, OpenDNS and AdGuard: what browsers and phones ask over HTTPS.
    private static let publicResolvers: Set<String> = [
      "1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "149.112.112.112", "208.67.222.222", "208.67.220.220",
      "94.140.14.14", "94.140.15.15",
    ]

    package static func < (left: Self, right: Self) -> Bool {
      (left.client.value, left.server.value, left.port) < (right.client.value, right.server.value, right.port)
    }
  }

  /// At 127.0.0.1.
  package var answer: Nameserver.Answer
  package var processes: [Process]
  /// Ascending. What the connection tracking table still has: of a question over UDP for half a minute.
  package var bypasses: [Bypass]

  package init(answer: Nameserver.Answer, processes: [Process], bypasses: [Bypass]) {
    (self.answer, self.processes, self.bypasses) = (answer, processes, bypasses)
  }
}

/// What steering rules with domains need of the router: a dnsmasq that knows their sets, and clients that ask it.
extension Doctor {
  mutating func checkDomains() {
    guard let ruleSet = (try? seen.ruleSet.get()) ?? nil,
      ruleSet.steeringRules.contains(where: { $0.enabled && !$0.match.domains.isEmpty }),
      let signs = value(seen.domains, .domains, "the resolver that fills steering rules' domains")
    else { return }
    let file = "\(seen.configuration.files.stateDirectory)/dnsmasq.conf"
    check(signs.processes, file)
    if case .silent(let why) = signs.answer {
      find(
        .error, .domains, "the router's resolver does not answer at 127.0.0.1, so nothing is learnt of domains",
        evidence: why, fix: "systemctl restart dnsmasq; it must listen on 127.0.0.1 too, as it does by default")
    }
    tell(signs.bypasses.filter { $0.port != 443 }, "other resolvers", "by DNS")
    tell(signs.bypasses.filter { $0.port == 443 }, "public resolvers", "over HTTPS")
  }

  private mutating func check(_ processes: [DomainSigns.Process], _ file: String) {
    if processes.isEmpty {
      find(
        .error, .domains,
        "no dnsmasq runs here: steering rules know of their domains only what the agent asks for, and of subdomains nothing",
        evidence: "no process of that name is in the router's network",
        fix: "apt install dnsmasq, with conf-file=\(file)")
    } else if !processes.contains(where: \.mayFill) {
      find(
        .error, .domains, "dnsmasq may not put addresses into sets, so steering rules with domains miss subdomains",
        evidence:
          "process \(processes[0].number) has no CAP_NET_ADMIN, which it keeps if its configuration names a set",
        fix: "put conf-file=\(file) into dnsmasq.conf and restart it; its service must not take the capability away")
    } else if processes.allSatisfy({ $0.isOutdated || !$0.mayFill }) {
      find(
        .warning, .domains, "dnsmasq has not read the newest domains of steering rules",
        evidence: "process \(processes.first(where: \.mayFill)?.number ?? 0) began before \(file) was last written",
        fix: "systemctl restart dnsmasq")
    }
  }

  private mutating func tell(_ bypasses: [DomainSigns.Bypass], _ whom: String, _ how: String) {
    guard let first = bypasses.first else { return }
    let clients = Set(bypasses.map(\.client)).count
    find(
      .warning, .domains,
      "\(clients) client\(clients == 1 ? " asks" : "s ask") \(whom) \(how): what only these tell them is not steered by domain",
      evidence: "\(first.client) to \(first.server) port \(first.port)"
        + (bypasses.count > 1 ? ", and \(bypasses.count - 1) more" : ""),
      fix: "hand out the router's address as the resolver (DHCP), and redirect or refuse others in your firewall")
  }
}
