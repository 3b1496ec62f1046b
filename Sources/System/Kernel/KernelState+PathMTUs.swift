internal import Core
internal import Netlink
internal import RuleSets

extension KernelState {
  /// More than a router has hubs and peers; a scan of its uplink must not fill the memory.
  private static let maximumPathMTUs = 4096

  /// What the kernel has learnt of path MTUs, the smallest where several tables have a way by one device. Of our own
  /// tunnels none: their MTU is ours to set, and each host behind the hub may have one. It is good to know and never
  /// worth a failure: a kernel that tells nothing has learnt nothing.
  mutating func pathMTUs(_ links: [LinkMessage], _ names: [UInt32: InterfaceName]) -> [PathMTUKey: Int] {
    let own = Set(links.filter(translation.isOurs).map(\.index))
    var known: [PathMTUKey: Int] = [:]
    do throws(NetlinkFailure) {
      try routing.eachPathMTU { message in
        guard !own.contains(message.index), let device = names[message.index] else { return }
        let key = PathMTUKey(IPv4Address(value: message.destination), by: device)
        let mtu = min(known[key] ?? .max, Int(message.mtu))
        if known[key] != nil || known.count < Self.maximumPathMTUs { known[key] = mtu }
      }
    } catch {
      // What was told before that is true.
    }
    return known
  }
}
