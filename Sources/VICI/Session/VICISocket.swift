internal import Glibc

/// The one owner of a connected Unix socket; it is closed when its owner goes. It never blocks but in poll(2).
struct VICISocket: ~Copyable, Sendable {
  let descriptor: Int32

  private init(adopting descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  static func connect(to path: String, by deadline: VICIDeadline) throws(VICIFailure) -> VICISocket {
    var address = sockaddr_un()
    guard !path.isEmpty, !path.utf8.contains(0), path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw VICIFailure(.unusableAddress)
    }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let number = Glibc.socket(AF_UNIX, type, 0)
    guard number >= 0 else { throw VICIFailure.last("socket") }
    let socket = VICISocket(adopting: number)
    while Self.connect(number, address) != 0 {
      switch errno {
      case EINTR: continue
      case EAGAIN:
        // charon's queue of connections is full. A Unix socket cannot be polled for room in it.
        guard !deadline.hasPassed else { throw VICIFailure(.timedOut) }
        _ = poll(nil, 0, 10)
      default: throw VICIFailure.last("connect")
      }
    }
    return socket
  }

  private static func connect(_ descriptor: Int32, _ address: sockaddr_un) -> Int32 {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  func send(_ bytes: [UInt8], by deadline: VICIDeadline) throws(VICIFailure) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { all in
        Glibc.send(descriptor, all.baseAddress.map { $0 + sent }, all.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        sent += count
        continue
      }
      switch errno {
      case EINTR: break
      case EAGAIN: try wait(for: POLLOUT, by: deadline)
      case EPIPE, ECONNRESET: throw VICIFailure(.closed)
      default: throw VICIFailure.last("send")
      }
    }
  }

  /// Some of the available bytes; waits if there are none.
  func receive(by deadline: VICIDeadline) throws(VICIFailure) -> [UInt8] {
    while true {
      if let bytes = try receive() { return bytes }
      try wait(for: POLLIN, by: deadline)
    }
  }

  /// Some of the available bytes; nil if there are none.
  func receive() throws(VICIFailure) -> [UInt8]? {
    while true {
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: Self.pieceLength) { buffer, initialized in
        count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        initialized = max(0, count)
      }
      if count > 0 { return bytes }
      if count == 0 { throw VICIFailure(.closed) }
      switch errno {
      case EINTR: break
      case EAGAIN: return nil
      case ECONNRESET: throw VICIFailure(.closed)
      default: throw VICIFailure.last("recv")
      }
    }
  }

  /// Most packets are of a few hundred bytes.
  private static let pieceLength = 16 << 10

  private func wait(for events: Int32, by deadline: VICIDeadline) throws(VICIFailure) {
    guard !deadline.hasPassed else { throw VICIFailure(.timedOut) }
    var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    // A signal, a minute's end and readiness alike: the caller tries again.
    guard poll(&request, 1, deadline.milliseconds) >= 0 || errno == EINTR else { throw VICIFailure.last("poll") }
  }
}
