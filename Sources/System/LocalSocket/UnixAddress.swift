internal import Glibc

/// The address of a Unix socket at a path.
struct UnixAddress {
  let path: String
  private var address = sockaddr_un()

  /// Throws where the path does not fit: 107 bytes are the most (unix(7)).
  init(_ path: String) throws(SystemCallFailure) {
    self.path = path
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, !bytes.contains(0), bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw SystemCallFailure("socket \(path)", cause: "a socket's path has 1 to 107 bytes")
    }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
  }

  static func newSocket() throws(SystemCallFailure) -> FileDescriptor {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    return try FileDescriptor.adopting(socket(AF_UNIX, type, 0), "open a Unix socket")
  }

  /// 0, or -1 and errno.
  func bind(_ descriptor: Int32) -> Int32 { withPointer { Glibc.bind(descriptor, $0, $1) } }

  /// 0, or -1 and errno.
  func connect(_ descriptor: Int32) -> Int32 { withPointer { Glibc.connect(descriptor, $0, $1) } }

  private func withPointer(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
