package import Agent
internal import Core
internal import Glibc

/// Talks to systemd as sd_notify(3) does, with datagrams to the socket that NOTIFY_SOCKET names, but without
/// libsystemd, which would bring seven libraries along.
package final class NotifySocket: ServiceManagerPort {
  package let watchdog: Duration?
  private let address: UnixAddress
  private let socket: FileDescriptor

  /// The socket that this process's environment names; nil if it names none. Throws if it names one that cannot be
  /// used.
  package static func ofEnvironment() throws(SystemCallFailure) -> NotifySocket? {
    guard let name = variable("NOTIFY_SOCKET"), !name.isEmpty else { return nil }
    let watchdog = watchdog(
      microseconds: variable("WATCHDOG_USEC"), process: variable("WATCHDOG_PID"), own: getpid())
    return try NotifySocket(name, watchdog: watchdog)
  }

  package init(_ name: String, watchdog: Duration?) throws(SystemCallFailure) {
    address = try UnixAddress(named: name)
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    socket = try FileDescriptor.adopting(Glibc.socket(AF_UNIX, type, 0), "open a Unix socket")
    self.watchdog = watchdog
  }

  /// One datagram, one word a line. False if systemd's queue is full or the socket is gone.
  package func tell(_ words: [ServiceWord]) -> Bool {
    let bytes = Array(words.map(\.text).joined(separator: "\n").utf8)
    return address.send(bytes, by: socket.number) == bytes.count
  }

  /// The watchdog's time as sd_watchdog_enabled(3) reads it: it applies to the named process, or to any process if none
  /// is named.
  package static func watchdog(microseconds: String?, process: String?, own: Int32) -> Duration? {
    guard let microseconds = microseconds.flatMap({ Int64($0) }), microseconds > 0 else { return nil }
    if let process, Int32(process) != own { return nil }
    return .microseconds(microseconds)
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
