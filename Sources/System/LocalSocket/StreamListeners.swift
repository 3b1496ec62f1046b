internal import Core
internal import Glibc
internal import RuleSets

/// A socket that connections come in by. What it has in the file system goes with it.
protocol StreamListener: Sendable {
  /// Valid as long as this object lives.
  var number: Int32 { get }
}

/// A TCP port of this machine that only itself can reach.
final class LoopbackListener: StreamListener {
  private let descriptor: FileDescriptor
  var number: Int32 { descriptor.number }

  init(_ address: IPv4Address, port: UInt16) throws(SystemCallFailure) {
    let place = "\(address):\(port)"
    // The caller must pass a loopback address: a mistake here would show everyone what is broken.
    guard address.isLoopback else { throw SystemCallFailure("bind \(place)", cause: "not a loopback address") }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    descriptor = try FileDescriptor.adopting(socket(AF_INET, type, 0), "open a TCP socket")
    // Connections of an agent that was there before may still be ending.
    var one: Int32 = 1
    setsockopt(descriptor.number, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = address.value.bigEndian
    let bound = withUnsafePointer(to: name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0 else { throw SystemCallFailure.last("bind \(place)") }
    guard listen(descriptor.number, 16) == 0 else { throw SystemCallFailure.last("listen \(place)") }
  }
}

/// A socket in the file system.
final class UnixListener: StreamListener {
  private let listener: LocalListener
  var number: Int32 { listener.descriptor.number }

  init(_ path: String, group: UInt32?) throws(SystemCallFailure) {
    listener = try LocalListener.open(path, group: group)
  }
}
