internal import CMnl
internal import CNftnl
internal import Glibc

/// A table of legacy iptables, which nftables does not show (linux/netfilter_ipv4/ip_tables.h). It is read alone.
package enum LegacyTable {
  /// Of 400,000 rules.
  static let largest: UInt32 = 64 << 20
  /// The kernel refuses the question where rules came or went between its two parts.
  static let attempts = 5

  /// Calls `body` for the target of each rule. A table that is not there yet would be made by it: ask for those only that
  /// /proc/net/ip_tables_names has. Needs CAP_NET_ADMIN.
  package static func eachTarget(
    of table: String, _ body: (_ chain: String, NFTExpression) -> Void
  ) throws(NetlinkFailure) {
    let operation = "iptables-legacy -t \(table) -S"
    let socket = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw .last(operation) }
    defer { close(socket) }
    let name = Array(table.utf8.prefix(Int(XT_TABLE_MAXNAMELEN) - 1))
    for attempt in 1...attempts {
      do throws(NetlinkFailure) {
        let answer = try ask(socket, IPT_SO_GET_INFO, name, size: MemoryLayout<ipt_getinfo>.size, operation)
        let info = answer.withUnsafeBytes { $0.loadUnaligned(as: ipt_getinfo.self) }
        guard info.size <= largest else { throw NetlinkFailure(operation: operation, errno: EFBIG) }
        let head = MemoryLayout<ipt_get_entries>.size
        let entries = try ask(
          socket, IPT_SO_GET_ENTRIES, name, entries: info.size, size: head + Int(info.size), operation)
        let isGood = entries.withUnsafeBytes {
          forEachTarget(in: Bytes(UnsafeRawBufferPointer(rebasing: $0[head...])), chains: chains(info), body)
        }
        guard isGood else { throw .malformed(operation) }
        return
      } catch {
        guard error.errno == EAGAIN, attempt < attempts else { throw error }
        usleep(20_000)
      }
    }
  }

  /// A question has the table's name and, if entries are requested, their size in bytes.
  private static func ask(
    _ socket: Int32, _ option: Int32, _ name: [UInt8], entries: UInt32 = 0, size: Int, _ operation: String
  ) throws(NetlinkFailure) -> [UInt8] {
    var bytes = name + [UInt8](repeating: 0, count: size - name.count)
    withUnsafeBytes(of: entries) {
      bytes.replaceSubrange(Int(XT_TABLE_MAXNAMELEN)..<Int(XT_TABLE_MAXNAMELEN) + 4, with: $0)
    }
    var length = socklen_t(size)
    guard getsockopt(socket, Int32(IPPROTO_IP), option, &bytes, &length) == 0 else { throw .last(operation) }
    return bytes
  }

  /// Where the chains that hooks begin with lie; the others begin with an entry that names them.
  private static func chains(_ info: ipt_getinfo) -> [Int: String] {
    var chains: [Int: String] = [:]
    withUnsafeBytes(of: info.hook_entry) { offsets in
      for (hook, name) in ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].enumerated()
      where info.valid_hooks & 1 << hook != 0 {
        if let offset = Bytes(offsets).load(UInt32.self, at: hook * 4) { chains[Int(offset)] = name }
      }
    }
    return chains
  }

  /// False if a length is wrong.
  static func forEachTarget(
    in entries: Bytes, chains: [Int: String], _ body: (_ chain: String, NFTExpression) -> Void
  ) -> Bool {
    // struct ipt_entry: an address part, a word, the target's place and the next entry's.
    let offsets = MemoryLayout<ipt_ip>.size + 4
    // struct xt_entry_target: a length, a name of 29 bytes, a revision.
    let head = MemoryLayout<xt_entry_target>.size
    var chain = ""
    var offset = 0
    while offset < entries.count {
      guard let toTarget = entries.load(UInt16.self, at: offset + offsets),
        let toNext = entries.load(UInt16.self, at: offset + offsets + 2)
      else { return false }
      let (start, end) = (offset + Int(toTarget), offset + Int(toNext))
      guard Int(toTarget) >= MemoryLayout<ipt_entry>.size, start + head <= end, end <= entries.count
      else { return false }
      let target = UnsafeRawBufferPointer(rebasing: entries.raw[start..<end])
      let name = Bytes(UnsafeRawBufferPointer(rebasing: target[2..<head - 1])).string
      let data = Bytes(UnsafeRawBufferPointer(rebasing: target[head...]))
      chain = chains[offset] ?? chain
      if name == XT_ERROR_TARGET { chain = data.string }
      body(chain, .target(name, revision: UInt32(target[head - 1]), data.array))
      offset = end
    }
    return true
  }
}
