internal import Core
internal import Glibc
internal import RuleSets

/// A UDP socket to one nameserver. It is connected, so that an ICMP refusal is reported and nobody else's answer is
/// accepted.
struct NameserverSocket: ~Copyable {
  private let socket: FileDescriptor
  private let server: String

  /// - Parameters:
  ///   - server: an address, IPv4 or IPv6.
  ///   - port: another than 53 for tests.
  init(to server: String, port: UInt16 = 53) throws(SystemCallFailure) {
    socket = try Self.connected(to: server, port)
    self.server = server
  }

  private static func connected(to server: String, _ port: UInt16) throws(SystemCallFailure) -> FileDescriptor {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(server, "\(port)", &hints, &found) == 0, let address = found?.pointee else {
      throw SystemCallFailure("ask \(quoted(server))", cause: "it is not an address")
    }
    defer { freeaddrinfo(found) }
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = try FileDescriptor.adopting(Glibc.socket(address.ai_family, type, 0), "open a UDP socket")
    guard connect(socket.number, address.ai_addr, address.ai_addrlen) == 0 else {
      throw SystemCallFailure.last("reach \(server)")
    }
    return socket
  }

  func send(_ question: [UInt8]) throws(SystemCallFailure) {
    guard Glibc.send(socket.number, question, question.count, 0) == question.count else {
      throw SystemCallFailure.last("send to \(server)")
    }
  }

  /// The next datagram; nil: none came in time.
  func receive(until deadline: Instant) throws(SystemCallFailure) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let left = deadline - MonotonicClock.now
      guard left > .zero else { return nil }
      var waiting = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
      let ready = poll(&waiting, 1, Int32(left.milliseconds.rounded(.up)))
      if ready < 0 && errno != EINTR { throw SystemCallFailure.last("wait for \(server)") }
      guard ready > 0 else { continue }
      let count = recv(socket.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count >= 0 { return Array(buffer[..<count]) }
      if errno != EAGAIN && errno != EINTR { throw SystemCallFailure.last("ask \(server)") }
    }
  }
}
