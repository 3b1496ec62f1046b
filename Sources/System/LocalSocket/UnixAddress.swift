internal import Glibc

/// The address of a Unix socket at a path.
struct UnixAddress {
  let path: String
  private var address = sockaddr_un()
  private var length = socklen_t(MemoryLayout<sockaddr_un>.size)

  /// Throws if the path does not fit: the limit is 107 bytes (unix(7)).
  init(_ path: String) throws(SystemCallFailure) {
    self.path = path
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, !bytes.contains(0), bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw SystemCallFailure("socket \(path)", cause: "a socket's path has 1 to 107 bytes")
    }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
  }

  /// As systemd names sockets: a path, or "@" and a name in the abstract namespace, which has no file (unix(7)).
  init(named name: String) throws(SystemCallFailure) {
    guard name.hasPrefix("@") else {
      self = try UnixAddress(name)
      return
    }
    path = name
    let bytes = Array(name.utf8.dropFirst())
    guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw SystemCallFailure("socket \(name)", cause: "an abstract socket's name has 1 to 107 bytes")
    }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.dropFirst().copyBytes(from: bytes) }
    // All bytes up to the length are the name, zeros too.
    let unused = MemoryLayout.size(ofValue: address.sun_path) - 1 - bytes.count
    length -= socklen_t(unused)
  }

  static func newSocket(_ type: __socket_type = SOCK_STREAM) throws(SystemCallFailure) -> FileDescriptor {
    let type = Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    return try FileDescriptor.adopting(socket(AF_UNIX, type, 0), "open a Unix socket")
  }

  /// 0, or -1 and errno.
  func bind(_ descriptor: Int32) -> Int32 { withPointer { Glibc.bind(descriptor, $0, $1) } }

  /// 0, or -1 and errno.
  func connect(_ descriptor: Int32) -> Int32 { withPointer { Glibc.connect(descriptor, $0, $1) } }

  /// The count of bytes sent, or -1 and errno. Neither blocks nor raises a signal.
  func send(_ bytes: [UInt8], by descriptor: Int32) -> Int {
    let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
    return withPointer { sendto(descriptor, bytes, bytes.count, flags, $0, $1) }
  }

  private func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, length)
      }
    }
  }
}
