internal import Agent
internal import CLinux
internal import Core
internal import Glibc

/// Hears what routers on the way say of packets of ours that were too large. The kernel learns path MTUs from the same
/// messages and tells nobody; what it learns of a tunnel's packets it keeps at main's next hop (`ipv4_update_pmtu`, called
/// by `ipgre_err`, net/ipv4/ip_gre.c), where a tunnel that is led by a mark never looks. Touched on the loop only, from
/// `watch` on.
final class PathMTUListener: @unchecked Sendable {
  /// A message quotes 576 bytes at most (RFC 1812 section 4.3.2.3), and its beginning is enough.
  private static let packetBytes = 1024
  /// In one turn of the loop.
  private static let packetsPerTurn = 64

  private let descriptor: FileDescriptor
  private let handler: @Sendable (KernelEvent) -> Void
  private var news = PathMTUNews()
  private var buffer = [UInt8](repeating: 0, count: PathMTUListener.packetBytes)

  init(_ handler: @escaping @Sendable (KernelEvent) -> Void) throws(SystemCallFailure) {
    let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    descriptor = try FileDescriptor.adopting(socket(AF_INET, type, Int32(IPPROTO_ICMP)), "open a raw ICMP socket")
    guard linux_icmp_too_large(descriptor.number) == 0 else { throw SystemCallFailure.last("set an ICMP filter") }
    self.handler = handler
  }

  func watch(on loop: any DescriptorWatcher) throws(SystemCallFailure) {
    try loop.watch(descriptor.number, for: .readable) { [self] _ in read(on: loop) }
  }

  private func read(on loop: any DescriptorWatcher) {
    for _ in 0..<Self.packetsPerTurn {
      let length = buffer.withUnsafeMutableBytes {
        recv(descriptor.number, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
      }
      if length < 0 && errno != EINTR { return }
      guard length > 0, let message = FragmentationNeeded(buffer.span.extracting(0..<length)) else { continue }
      let (now, destination) = (loop.now, message.destination)
      for look in news.heard(message.mtu, to: destination, at: now) {
        if look <= now {
          handler(.pathMTU(destination))
        } else {
          _ = loop.at(look) { [handler] _ in handler(.pathMTU(destination)) }
        }
      }
    }
  }
}
