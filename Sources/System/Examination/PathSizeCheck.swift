internal import Agent
internal import CLinux
package import Core
internal import Glibc
internal import RuleSets

/// Finds how large a packet each path carries. It sends echo requests of several sizes with DF set, bound to each path
/// as its probes are.
package struct PathSizeCheck {
  /// A path and the address that answers at its end.
  package struct Target: Sendable {
    var path: Name
    var tunnel: Name?
    var binding: ProbeBinding
    var address: IPv4Address
    var mtu: Int
  }

  /// The first round waits as long as a slow line takes to answer; later ones go by the answers seen.
  static let firstRound: Duration = .milliseconds(1_200)
  static let shortestRound: Duration = .milliseconds(100)
  /// No more paths than this are tried: a person is waiting, and each needs a socket.
  static let mostPaths = 64
  /// The bytes of the IP header; the ICMP header is part of the message.
  private static let header = 20

  /// The rule set's paths whose far end has an inner address or is pinged, tunnels first.
  package static func targets(_ compiler: EdgeCompiler) -> [Target] {
    let all = compiler.layout.ruleSet.paths.compactMap { path -> Target? in
      guard let binding = compiler.binding(of: path), let source = binding.source,
        let link = compiler.actual.links[binding.device], link.isUp, let address = far(end: path, compiler.layout)
      else { return nil }
      let tunnel: Name? = if case .tunnel(let name) = path.way { name } else { nil }
      return Target(
        path: path.name, tunnel: tunnel,
        binding: ProbeBinding(device: binding.device, mark: binding.mark, source: source), address: address,
        mtu: link.mtu)
    }
    return Array((all.filter { $0.tunnel != nil } + all.filter { $0.tunnel == nil }).prefix(mostPaths))
  }

  private static func far(end path: Path, _ layout: Layout) -> IPv4Address? {
    if case .tunnel(let name) = path.way, let inner = layout.tunnel(named: name)?.innerRemote { return inner }
    return layout.ruleSet.probes.lazy.compactMap { probe -> IPv4Address? in
      guard probe.path == path.name, case .icmp(let target) = probe.kind else { return nil }
      return target
    }.first
  }

  /// Sends and waits until every target's size is found, all targets side by side. Blocks for seconds. Throws if a raw
  /// socket cannot be opened or bound to its path.
  package static func measure(_ targets: [Target]) throws(SystemCallFailure) -> [PathSize] {
    var check = PathSizeCheck()
    for target in targets { try check.open(target) }
    while check.send() { check.receive() }
    return check.tries.map {
      PathSize(
        path: $0.target.path, tunnel: $0.target.tunnel, device: $0.target.binding.device, mtu: $0.target.mtu,
        largest: $0.search.largest)
    }
  }

  private final class Try {
    let target: Target
    let descriptor: FileDescriptor
    let identifier: UInt16
    let nonce = UInt64.random(in: 0 ... .max)
    var search: PathSizeSearch
    /// Indexed by sequence number.
    var sent: [(size: Int, at: Instant)] = []
    var slowest: Duration = .zero

    init(_ target: Target, _ descriptor: consuming FileDescriptor, _ identifier: UInt16) {
      self.target = target
      self.descriptor = descriptor
      self.identifier = identifier
      search = PathSizeSearch(mtu: target.mtu)
    }
  }

  private var tries: [Try] = []
  /// The slowest answer so far.
  private var slowest: Duration = .zero

  private init() {}

  private var isDone: Bool { tries.allSatisfy(\.search.hasLargest) }

  private mutating func open(_ target: Target) throws(SystemCallFailure) {
    let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = try FileDescriptor.adopting(socket(AF_INET, type, Int32(IPPROTO_ICMP)), "open a raw ICMP socket")
    let identifier = UInt16.random(in: 1 ... .max)
    guard linux_icmp_prepare(descriptor.number, identifier) == 0 else {
      throw SystemCallFailure.last("set an ICMP filter")
    }
    // DF is set, but the path MTU that the kernel has learnt is ignored: that is what we are testing.
    var mode: Int32 = IP_PMTUDISC_PROBE
    let size = socklen_t(MemoryLayout<Int32>.size)
    guard setsockopt(descriptor.number, Int32(IPPROTO_IP), IP_MTU_DISCOVER, &mode, size) == 0 else {
      throw SystemCallFailure.last("forbid fragments")
    }
    try bindToPath(descriptor.number, target.binding)
    tries.append(Try(target, descriptor, identifier))
  }

  /// Returns false if there is nothing left to find out. A packet that cannot be sent counts as unanswered.
  private mutating func send() -> Bool {
    var isOver = true
    for attempt in tries {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = attempt.target.address.value.bigEndian
      for size in attempt.search.nextRound() {
        isOver = false
        let request = ICMPRequest.encode(
          identifier: attempt.identifier, sequence: UInt16(truncatingIfNeeded: attempt.sent.count),
          nonce: attempt.nonce, length: size - Self.header)
        attempt.sent.append((size, MonotonicClock.now))
        _ = withUnsafePointer(to: &address) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            sendto(
              attempt.descriptor.number, request, request.count, Int32(MSG_DONTWAIT), $0,
              socklen_t(MemoryLayout<sockaddr_in>.size))
          }
        }
      }
    }
    return !isOver
  }

  /// Several times the slowest answer so far, as TCP does with its retransmission timer.
  private var roundTime: Duration {
    slowest == .zero ? Self.firstRound : min(Self.firstRound, slowest * 4 + Self.shortestRound)
  }

  private mutating func receive() {
    let deadline = MonotonicClock.now + roundTime
    defer { slowest = max(slowest, tries.map(\.slowest).max() ?? .zero) }
    var waiting = tries.map { pollfd(fd: $0.descriptor.number, events: Int16(POLLIN), revents: 0) }
    while !isDone {
      let left = deadline - MonotonicClock.now
      guard left > .zero else { return }
      let ready = poll(&waiting, nfds_t(waiting.count), Int32(left.milliseconds.rounded(.up)))
      if ready < 0 && errno != EINTR { return }
      guard ready > 0 else { continue }
      for (index, entry) in waiting.enumerated() where entry.revents != 0 { take(tries[index]) }
    }
  }

  private func take(_ attempt: Try) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(attempt.descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      guard count > 0 else { return }
      guard case .echoReply(let source, let echo)? = ICMPMessage.parse(buffer.span.extracting(0..<count)),
        source == attempt.target.address, echo.identifier == attempt.identifier, echo.nonce == attempt.nonce,
        attempt.sent.indices.contains(Int(echo.sequence))
      else { continue }
      let sent = attempt.sent[Int(echo.sequence)]
      attempt.search.answered(sent.size)
      attempt.slowest = max(attempt.slowest, MonotonicClock.now - sent.at)
    }
  }
}
