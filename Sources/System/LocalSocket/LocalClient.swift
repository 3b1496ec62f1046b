internal import Core
internal import Glibc
internal import RuleSets

/// Why the agent gave no reply.
package enum LocalFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// No socket there, or nobody listens on it.
  case noAgent(path: String)
  case noPermission(path: String)
  /// The agent went away in the middle.
  case brokeOff
  case timedOut
  case system(SystemCallFailure)

  package var description: String {
    switch self {
    case .noAgent(let path): "no agent answers at \(path): is it running?"
    case .noPermission(let path): "no permission to ask the agent at \(path)"
    case .brokeOff: "the agent closed the connection before it had replied"
    case .timedOut: "the agent did not reply in time"
    case .system(let failure): failure.description
    }
  }
}

/// The CLI's side of the local socket. It blocks its thread.
package enum LocalClient {
  /// Sends one request and returns the reply. `timeout` is for all of it.
  package static func ask(
    socketPath path: String, request: [UInt8], timeout: Duration = .seconds(10)
  ) throws(LocalFailure) -> [UInt8] {
    let deadline = MonotonicClock.now + timeout
    let socket = try connected(to: path, by: deadline)
    try send(LocalFrame.encode(request), on: socket, by: deadline)
    return try receive(on: socket, by: deadline)
  }

  private static func connected(to path: String, by deadline: Instant) throws(LocalFailure) -> FileDescriptor {
    let address: UnixAddress
    let socket: FileDescriptor
    do throws(SystemCallFailure) {
      address = try UnixAddress(path)
      socket = try UnixAddress.newSocket()
    } catch {
      throw .system(error)
    }
    while address.connect(socket.number) != 0 {
      switch errno {
      case ENOENT, ECONNREFUSED, ENOTDIR: throw .noAgent(path: path)
      case EACCES, EPERM: throw .noPermission(path: path)
      // The agent's queue is full. A Unix socket cannot be polled for room in it.
      case EAGAIN:
        guard MonotonicClock.now < deadline else { throw .timedOut }
        usleep(10_000)
      case EINTR: continue
      default: throw .system(SystemCallFailure.last("connect to \(path)"))
      }
    }
    return socket
  }

  private static func send(
    _ bytes: [UInt8], on socket: borrowing FileDescriptor, by deadline: Instant
  ) throws(LocalFailure) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket.number, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        sent += count
      } else if errno == EAGAIN {
        try wait(socket, POLLOUT, by: deadline)
      } else if errno == EPIPE || errno == ECONNRESET {
        return  // It may have said why: what it sent is still to be read.
      } else if errno != EINTR {
        throw .system(SystemCallFailure.last("send to the agent"))
      }
    }
  }

  private static func receive(
    on socket: borrowing FileDescriptor, by deadline: Instant
  ) throws(LocalFailure) -> [UInt8] {
    let head = try receive(4, on: socket, by: deadline)
    let length = head.reduce(0) { $0 << 8 | Int($1) }
    guard length <= LocalFrame.maximumReply else {
      throw .system(SystemCallFailure("read the reply", cause: "it claims to be larger than any reply"))
    }
    return try receive(length, on: socket, by: deadline)
  }

  private static func receive(
    _ wanted: Int, on socket: borrowing FileDescriptor, by deadline: Instant
  ) throws(LocalFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: min(wanted, 64 << 10))
    while bytes.count < wanted {
      let count = recv(socket.number, &buffer, min(buffer.count, wanted - bytes.count), 0)
      if count > 0 {
        bytes.append(contentsOf: buffer[..<count])
      } else if count == 0 || errno == ECONNRESET {
        throw .brokeOff
      } else if errno == EAGAIN {
        try wait(socket, POLLIN, by: deadline)
      } else if errno != EINTR {
        throw .system(SystemCallFailure.last("read the reply"))
      }
    }
    return bytes
  }

  private static func wait(
    _ socket: borrowing FileDescriptor, _ events: Int32, by deadline: Instant
  ) throws(LocalFailure) {
    let left = (deadline - MonotonicClock.now).milliseconds
    guard left > 0 else { throw .timedOut }
    var descriptor = pollfd(fd: socket.number, events: Int16(events), revents: 0)
    _ = poll(&descriptor, 1, Int32(min(left.rounded(.up), 60_000)))
  }
}
