extension Doctor {
  /// Above this share of its limit a table is soon full.
  private static let nearlyFull = 0.95

  mutating func checkConnections() {
    guard let known = value(seen.connections, .connections, "the connection tracking table"), let table = known,
      table.limit > 0
    else { return }
    let evidence = "\(table.used) of \(table.limit) connections, \(table.refused) refused since the router started"
    let fix =
      "conntrack -L shows who opened the connections; raise net.netfilter.nf_conntrack_max in /etc/sysctl.d"
    if table.used >= table.limit {
      find(
        .error, .connections, "the connection tracking table is full: clients cannot open new connections",
        evidence: evidence, fix: fix)
    } else if Double(table.used) > Double(table.limit) * Self.nearlyFull {
      find(.warning, .connections, "the connection tracking table is nearly full", evidence: evidence, fix: fix)
    }
  }
}
