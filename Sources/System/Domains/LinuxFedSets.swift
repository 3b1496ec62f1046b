package import Agent
package import Core
internal import Netlink
package import RuleSets
internal import Synchronization

/// Fed sets of our table, over a socket of their own.
package final class LinuxFedSets: FedSetPort {
  private let table: String
  private let socket: Mutex<NetfilterSocket>
  /// So that what we put in ourselves is not heard as news.
  package let ports: OwnPorts

  package init(_ ranges: KernelRanges) throws(KernelFailure) {
    table = ranges.nftTable
    let socket = try asking(nil) { () throws(NetlinkFailure) in try NetfilterSocket.open() }
    ports = OwnPorts(netfilter: [socket.port])
    self.socket = Mutex(socket)
  }

  package func held(by set: String) throws(KernelFailure) -> [IPv4Address] {
    try socket.withLock { (socket) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        try socket.addresses(of: set, table: table).map { IPv4Address(value: $0) }
      }
    }
  }

  /// The resolver may put one in between our look and our transaction: then that is made again.
  private static let attempts = 4

  package func add(_ addresses: [IPv4Address], to set: String) throws(KernelFailure) {
    let wanted = Set(addresses.map(\.value)).sorted()
    guard !wanted.isEmpty else { return }
    try socket.withLock { (socket) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        for attempt in 1...Self.attempts {
          let held = Set(try socket.addresses(of: set, table: table))
          do throws(NetlinkFailure) {
            // An element that is there keeps its time unless it goes first; packets see both at once.
            var transaction = NFTTransaction()
            try transaction.deleteAddresses(wanted.filter(held.contains), from: set, table: table)
            try transaction.addAddresses(wanted, to: set, table: table)
            return try socket.commit(transaction)
          } catch {
            // One has expired since.
            guard error.isMissing, attempt < Self.attempts else { throw error }
          }
        }
      }
    }
  }
}
