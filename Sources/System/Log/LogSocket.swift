internal import Core
internal import Glibc
internal import RuleSets

/// A socket that log lines leave by, a datagram each. It never waits.
final class LogSocket: Sendable {
  enum Receiver: Equatable, Sendable {
    case unix(path: String)
    case udp(IPv4Address, port: UInt16)
  }

  private let descriptor: FileDescriptor
  private let send: @Sendable (_ bytes: [UInt8], _ descriptor: Int32) -> Int

  init(_ receiver: Receiver) throws(SystemCallFailure) {
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    switch receiver {
    case .unix(let path):
      let address = try UnixAddress(path)
      descriptor = try FileDescriptor.adopting(socket(AF_UNIX, type, 0), "open a Unix socket")
      send = { address.send($0, by: $1) }
    case .udp(let address, let port):
      descriptor = try FileDescriptor.adopting(socket(AF_INET, type, 0), "open a UDP socket")
      send = { bytes, descriptor in Self.send(bytes, to: address, port: port, by: descriptor) }
    }
  }

  /// False if it was not accepted; errno says why.
  func send(_ bytes: [UInt8]) -> Bool { send(bytes, descriptor.number) == bytes.count }

  private static func send(_ bytes: [UInt8], to address: IPv4Address, port: UInt16, by descriptor: Int32) -> Int {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = address.value.bigEndian
    return withUnsafePointer(to: name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(
          descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0,
          socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
