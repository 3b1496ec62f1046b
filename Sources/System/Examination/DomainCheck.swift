internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

/// Looks at the router's dnsmasq, and for clients that ask others.
enum DomainCheck {
  private static let netAdmin: UInt64 = 1 << 12

  /// - Parameters:
  ///   - name: what to ask the resolver for.
  ///   - file: what the agent writes for it.
  static func look(at file: String, asking name: DomainName) throws(SystemCallFailure) -> DomainSigns {
    DomainSigns(
      answer: NameserverCheck.answer(of: "127.0.0.1", name.text), processes: try processes(file),
      bypasses: try bypasses())
  }

  // MARK: Processes

  private static func processes(_ file: String) throws(SystemCallFailure) -> [DomainSigns.Process] {
    let written = modified(file)
    let own = link("/proc/self/ns/net")
    guard let directory = opendir("/proc") else { throw SystemCallFailure.last("list /proc") }
    defer { closedir(directory) }
    var found: [DomainSigns.Process] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let number = Int(name), text("/proc/\(name)/comm") == "dnsmasq\n", link("/proc/\(name)/ns/net") == own,
        let status = text("/proc/\(name)/status"), let rights = capabilities(status)
      else { continue }
      let began = text("/proc/\(name)/stat").flatMap(beginning)
      var isOutdated = false
      if let began, let written { isOutdated = began < written }
      found.append(.init(number: number, mayFill: rights & netAdmin != 0, isOutdated: isOutdated))
    }
    return found.sorted { $0.number < $1.number }
  }

  private static func text(_ path: String) -> String? {
    (try? BoundedFile.read(path, atMost: 16 << 10)).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func link(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = readlink(path, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
  }

  private static func capabilities(_ status: String) -> UInt64? {
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    return line?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
  }

  /// In seconds since the machine started, from field 22 of proc(5)'s `stat`; the name before may have blanks.
  private static func beginning(_ stat: String) -> Double? {
    let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
    guard fields.count > 20, let ticks = Double(fields[20]) else { return nil }
    return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// In seconds since the machine started, by the clock on the wall; nil if there is no such file.
  private static func modified(_ path: String) -> Double? {
    var status = stat()
    var (now, up) = (timespec(), timespec())
    guard stat(path, &status) == 0, clock_gettime(CLOCK_REALTIME, &now) == 0, clock_gettime(CLOCK_BOOTTIME, &up) == 0
    else { return nil }
    func seconds(_ time: timespec) -> Double { Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 }
    return seconds(up) - (seconds(now) - seconds(status.st_mtim))
  }

  // MARK: Connections

  private static let mostBypasses = 1_024

  private static func bypasses() throws(SystemCallFailure) -> [DomainSigns.Bypass] {
    do throws(NetlinkFailure) {
      var routing = try RoutingSocket.open()
      let own = Set(try routing.addresses().map { IPv4Address(value: $0.local) })
      var netfilter = try NetfilterSocket.open()
      var found: Set<DomainSigns.Bypass> = []
      try netfilter.eachConnection(mark: 0, mask: 0, restart: { found = [] }) { connection in
        let flow = FlowTuple(
          source: IPv4Address(value: connection.source), destination: IPv4Address(value: connection.destination),
          protocol: ProtocolNumber(connection.protocol), port: connection.port)
        guard found.count < mostBypasses, let bypass = DomainSigns.Bypass(flow, isOwn: own.contains) else { return }
        found.insert(bypass)
      }
      return found.sorted()
    } catch {
      throw SystemCallFailure("conntrack -L", cause: "\(error)")
    }
  }
}
