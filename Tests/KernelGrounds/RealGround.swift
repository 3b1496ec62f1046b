package import Agent
internal import CNamespace
package import Core
import Fakes
internal import Glibc
package import RuleSets
package import System

/// The kernel at hand, in a network namespace made for one test. Everything happens on the thread that made it.
package struct RealGround: KernelGround {
  package let ranges = KernelRanges()
  package let stateDirectory: String
  package let kernel: any KernelPort
  package let flip: any FlipPort
  package let traffic: any TrafficPort
  package let lookup: any LookupPort
  package let foreign: any ForeignPort
  package let sight: any SightPort
  package let fedSets: any FedSetPort
  /// Of `kernel` and `flip`.
  package let ports: OwnPorts
  /// Of `kernel`.
  package let news: TableNews

  /// Runs `body` in a new namespace, which ends with it.
  package static func with(_ body: (RealGround) throws -> Void) throws {
    let before = namespace_enter_new()
    guard before >= 0 else {
      throw ContractBreach("no new network namespace: root is needed (errno \(errno))")
    }
    defer { _ = namespace_return(before) }
    var template = Array("/tmp/backhaul-kernel-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ContractBreach("mkdtemp: errno \(errno)") }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      // Routers have this thread's signal mask, which may block TERM.
      _ = namespace_run("cat \(directory)/router-* 2>/dev/null | xargs -r kill -KILL; rm -f \(directory)/router-*")
      unlink("\(directory)/sysctls.json")
      rmdir(directory)
    }
    try body(RealGround(stateDirectory: directory))
  }

  private init(stateDirectory: String) throws {
    self.stateDirectory = stateDirectory
    let kernel = try LinuxKernel(ranges, stateDirectory: stateDirectory)
    let flip = try LinuxFlip(ranges)
    self.kernel = kernel
    self.flip = flip
    traffic = try LinuxTraffic()
    lookup = try LinuxLookup()
    foreign = try LinuxForeign(ranges)
    sight = try LinuxSight(ranges)
    fedSets = try LinuxFedSets(ranges)
    ports = kernel.ports.union(flip.ports)
    news = kernel.news
  }

  /// As an operator would type it; several lines are several commands.
  package func shell(_ command: String) throws {
    let status = namespace_run(command)
    guard status == 0 else { throw ContractBreach("\(command): exit status \(status)") }
  }

  /// What the command prints.
  package func lines(_ command: String) throws -> [String] {
    let path = "\(stateDirectory)/out"
    try shell("{ \(command); } > \(path)")
    defer { unlink(path) }
    guard let file = fopen(path, "r") else { throw ContractBreach("open \(path): errno \(errno)") }
    defer { fclose(file) }
    var lines: [String] = []
    var line = [CChar](repeating: 0, count: 4096)
    while fgets(&line, 4096, file) != nil {
      lines.append(String(decoding: line.prefix { $0 > 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    return lines
  }

  package func addDevice(_ name: InterfaceName, address: InterfaceAddress?) throws {
    // A peer in the same namespace gives it carrier.
    try shell(
      "ip link add \(name) type veth peer name \(name)-peer; ip link set \(name)-peer up; ip link set \(name) up")
    if let address { try shell("ip address add \(address) dev \(name)") }
  }

  package func addMainDefault(_ device: InterfaceName, onLink gateway: IPv4Address) throws {
    try shell("ip route add default via \(gateway) dev \(device) onlink")
  }

  package func learnPathMTU(
    _ mtu: Int, to destination: IPv4Address, by device: InterfaceName, from router: IPv4Address
  ) throws {
    try withRouter(router, at: device, narrow: mtu) { _ in
      try shell("ping -q -M do -s \(mtu) -c 2 -i 0.2 -W 1 \(destination) >/dev/null || :")
    }
  }

  /// Turns the other end of a device from `addDevice` into a router, in a namespace of its own, with a route to
  /// everywhere that carries at most `mtu` bytes; it ends with this ground. `body` gets the start of a command line
  /// that runs there.
  package func withRouter(
    _ router: IPv4Address, at device: InterfaceName, narrow mtu: Int, _ body: (String) throws -> Void
  ) throws {
    let pid = "\(stateDirectory)/router-\(device)"
    try shell("unshare --net sleep 600 & echo $! > \(pid)")
    let there = "nsenter --net=/proc/$(cat \(pid))/ns/net "
    try shell(
      """
      here=$(readlink /proc/self/ns/net)
      until [ "$(readlink /proc/$(cat \(pid))/ns/net)" != "$here" ]; do sleep 0.01; done
      ip link set \(device)-peer netns $(cat \(pid))
      \(there)sh -ec '
        ip link set \(device)-peer up
        ip address add \(router)/24 dev \(device)-peer
        ip link add far mtu \(mtu) type veth peer name farther
        ip link set far up
        ip link set farther up
        ip route add default dev far
        echo 1 > /proc/sys/net/ipv4/ip_forward'
      """)
    try body(there)
  }

  package func setDown(_ name: InterfaceName) throws { try shell("ip link set \(name) down") }
  package func removeDevice(_ name: InterfaceName) throws { try shell("ip link delete \(name)") }

  package func addForeign(_ route: TableRoute) throws {
    guard case .out(let device, nil, _) = route.way else { throw ContractBreach("only device routes here") }
    let destination = route.destination == .all ? "default" : route.destination.description
    try shell("ip route add \(destination) dev \(device) table \(route.table) metric \(route.metric) proto 77")
  }

  package func addForeign(_ rule: RoutingRule) throws {
    guard case .lookup(let table, nil) = rule.action else { throw ContractBreach("only plain lookups here") }
    var words = "ip rule add priority \(rule.priority)"
    if let mark = rule.mark { words += " fwmark \(mark.mark)/\(mark.mask)" }
    if let source = rule.source { words += " from \(source)" }
    if let destination = rule.destination { words += " to \(destination)" }
    if let incoming = rule.incoming { words += " iif \(incoming)" }
    try shell("\(words) lookup \(table) protocol 77")
  }

  package func addForeign(_ filter: PacketFilter) throws {
    let policy = filter.dropsByDefault ? "drop" : "accept"
    try shell(
      """
      nft 'table \(filter.table) { chain \(filter.chain) {
        type filter hook \(filter.place.rawValue) priority \(filter.priority); policy \(policy);
        \(filter.mayDrop ? "jump refuse" : "counter"); }; chain refuse { counter reject; }; }'
      """)
  }

  package func addForeign(_ mark: ForeignMark) throws {
    try shell(
      """
      nft 'table \(mark.table) { chain \(mark.chain) { type filter hook prerouting priority -200;
        meta mark set meta mark & \(hexadecimal(~mark.bits)) | \(hexadecimal(mark.bits)); }; }'
      """)
  }

  package func feed(_ set: String, _ address: IPv4Address) throws {
    try shell("nft add element inet \(ranges.nftTable) \(set) '{ \(address) }'")
  }

  package func sendToItself(_ packets: Int) throws {
    // An answer counts as one more.
    try shell("ip link set lo up && ping -q -c \((packets + 1) / 2) -i 0.01 127.0.0.1 >/dev/null")
  }

  package func counted(by counter: String) throws -> UInt64 {
    let listed = try lines("nft list counter inet \(ranges.nftTable) \(counter)").joined(separator: " ")
    let words = listed.split { $0 == " " || $0 == "\t" }
    guard let place = words.firstIndex(of: "packets"), let count = UInt64(words[place + 1]) else {
      throw ContractBreach("counter \(counter): \(words)")
    }
    return count
  }

  package func foreignRoutes(_ table: TableID) throws -> Int {
    try lines("ip route show table \(table) proto 77").count
  }
  package func rules(at priority: RulePriority) throws -> Int { try lines("ip rule show priority \(priority)").count }
}
