package import Agent
package import Core
internal import Netlink

/// Watches the kernel for changes that are not ours, on an event loop that watches descriptors.
package final class LinuxKernelEvents: KernelEventsPort {
  private let ranges: KernelRanges
  private let own: OwnPorts
  private let news: TableNews

  /// - Parameters:
  ///   - own: of every socket whose changes are our own doing.
  ///   - news: of the kernel that writes our table.
  package init(_ ranges: KernelRanges, own: OwnPorts, news: TableNews) {
    self.ranges = ranges
    self.own = own
    self.news = news
  }

  /// Throws if netlink cannot be listened to. Without the right to a raw socket, path MTU events alone are missing.
  package func start(
    on loop: any EventLoop, _ handler: @escaping @Sendable (KernelEvent) -> Void
  ) throws(KernelFailure) {
    guard let loop = loop as? any DescriptorWatcher else {
      throw KernelFailure(operation: "watch netlink events", errno: 0, cause: "this event loop watches no descriptors")
    }
    let listener = try asking(nil) { () throws(NetlinkFailure) in
      try KernelListener(RouteTranslation(ranges: ranges), own, news, handler)
    }
    // Without the right to raw sockets, the reconcile loop's timer finds what the kernel has learnt.
    let sizes = try? PathMTUListener(handler)
    loop.enqueue { [news] in
      listener.watch(on: loop, news)
      try? sizes?.watch(on: loop)
    }
  }
}
