internal import CLinux
package import Core
internal import Glibc
internal import RuleSets

/// The right to change what is ours in this network namespace and in the state directory, which one process has at a time:
/// a name in the abstract namespace of Unix sockets for each thing that we know our own by. Such a name is no file that could be removed, it
/// belongs to the network namespace (unix_find_abstract looks in the namespace's own table, net/unix/af_unix.c), and it is
/// gone with its process, however that ends.
///
/// Anybody may bind such a name, so one that an untrusted user has is passed over: no user may keep the agent from
/// starting.
package final class KernelLock: Sendable {
  /// Why it could not be had.
  package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another agent has it; its process, where it can be seen from here.
    case held(what: String, process: Int32?)
    case system(SystemCallFailure)

    package var description: String {
      switch self {
      case .held(let what, let process?): "another agent (process \(process)) has \(what) in this network namespace"
      case .held(let what, nil): "another agent has \(what) in this network namespace"
      case .system(let failure): "\(failure)"
      }
    }
  }

  /// Names that an untrusted user has bound, in words, each with the user.
  package let ignored: [String]
  private let sockets: [Socket]

  /// This many may ask at once who holds it, before `answerAskers` is called again.
  private static let backlog: Int32 = 4_096
  private static let pause: UInt32 = 20_000

  private final class Socket: Sendable {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  }

  private init(_ sockets: [Socket], ignored: [String]) {
    self.sockets = sockets
    self.ignored = ignored
  }

  /// Takes it, or throws an error that says who holds it.
  ///
  /// - Parameters:
  ///   - stateDirectory: its owner is trusted beside root and ourselves: the service's user, where root asks.
  ///   - patience: a guard at boot has it for a moment, and so may an agent that is just ending.
  package static func take(
    _ ranges: KernelRanges, stateDirectory: String, patience: Duration = .zero
  ) throws(Failure) -> KernelLock {
    var trusted: Set<UInt32> = [0, geteuid()]
    var status = stat()
    if stat(stateDirectory, &status) == 0 { trusted.insert(status.st_uid) }
    let deadline = MonotonicClock.now + patience
    var sockets: [Socket] = []
    var ignored: [String] = []
    for (what, name) in names(ranges) + [stateName(stateDirectory)] {
      switch try take(name, what, trusted, until: deadline) {
      case .ours(let socket): sockets.append(socket)
      case .foreign(let user): ignored.append("user \(user) has bound the name \(name), which stands for \(what)")
      }
    }
    return KernelLock(sockets, ignored: ignored)
  }

  /// Lets those go who have asked who holds it. To be called every few seconds: where too many wait, nobody learns it.
  package func answerAskers() {
    for socket in sockets {
      for _ in 0..<Self.backlog {
        let asker = linux_accept(socket.descriptor.number)
        if asker < 0 { break }
        close(asker)
      }
    }
  }

  /// Whatever of ours two agents would fight over.
  private static func names(_ ranges: KernelRanges) -> [(what: String, name: String)] {
    [
      ("nftables table \(ranges.nftTable)", "@backhaul/table/\(ranges.nftTable)"),
      ("routes and ip rules of protocol \(ranges.routeProtocol)", "@backhaul/protocol/\(ranges.routeProtocol)"),
      (
        "ip rule priorities from \(ranges.priorities.lowerBound)",
        "@backhaul/priorities/\(ranges.priorities.lowerBound)"
      ),
      ("routing tables from \(ranges.tables.lowerBound)", "@backhaul/tables/\(ranges.tables.lowerBound)"),
      ("devices named \(ranges.interfacePrefix)…", "@backhaul/devices/\(ranges.interfacePrefix)"),
    ]
  }

  /// Two agents with different numbers would write over each other's files. By its path: it need not be there yet.
  private static func stateName(_ directory: String) -> (what: String, name: String) {
    // A name has 107 bytes (unix(7)); the end of a longer path says more than its beginning.
    ("state directory \(directory)", "@backhaul/state/" + String(decoding: directory.utf8.suffix(90), as: UTF8.self))
  }

  private enum Outcome {
    case ours(Socket)
    case foreign(user: UInt32)
  }

  private static func take(
    _ name: String, _ what: String, _ trusted: Set<UInt32>, until deadline: Instant
  ) throws(Failure) -> Outcome {
    while true {
      let holder: PeerCredentials?
      do throws(SystemCallFailure) {
        let address = try UnixAddress(named: name)
        if let socket = try bound(address, name) { return .ours(socket) }
        // Somebody has it, who may be gone by now.
        holder = try Self.holder(of: address)
      } catch {
        throw .system(error)
      }
      if let holder, !trusted.contains(holder.user) { return .foreign(user: holder.user) }
      if MonotonicClock.now >= deadline {
        throw .held(what: what, process: holder.flatMap { $0.process > 0 ? $0.process : nil })
      }
      usleep(pause)
    }
  }

  /// Nil if the name is taken.
  private static func bound(_ address: UnixAddress, _ name: String) throws(SystemCallFailure) -> Socket? {
    let socket = try UnixAddress.newSocket()
    guard address.bind(socket.number) == 0 else {
      guard errno == EADDRINUSE else { throw SystemCallFailure.last("bind \(name)") }
      return nil
    }
    // The kernel tells a client our process (SO_PEERCRED, unix(7)).
    guard listen(socket.number, backlog) == 0 else { throw SystemCallFailure.last("listen \(name)") }
    return Socket(socket)
  }

  /// Nil if it cannot be known: gone by now, or too many are asking.
  private static func holder(of address: UnixAddress) throws(SystemCallFailure) -> PeerCredentials? {
    let probe = try UnixAddress.newSocket()
    guard address.connect(probe.number) == 0 else { return nil }
    var peer = PeerCredentials(process: 0, user: 0, group: 0)
    guard linux_peer_credentials(probe.number, &peer.process, &peer.user, &peer.group) == 0 else { return nil }
    return peer
  }
}
