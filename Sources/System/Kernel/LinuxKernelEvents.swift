package import Agent
package import Core
internal import Netlink

/// What changes in the kernel without our doing, on an event loop that watches descriptors.
package final class LinuxKernelEvents: KernelEventsPort {
  private let ranges: KernelRanges
  private let own: OwnPorts

  /// `own`: of every socket whose changes are our own doing.
  package init(_ ranges: KernelRanges, own: OwnPorts) {
    self.ranges = ranges
    self.own = own
  }

  package func start(
    on loop: any EventLoop, _ handler: @escaping @Sendable (KernelEvent) -> Void
  ) throws(KernelFailure) {
    guard let loop = loop as? any DescriptorWatcher else {
      throw KernelFailure(operation: "watch netlink events", errno: 0, cause: "this event loop watches no descriptors")
    }
    let listener = try asking(nil) { () throws(NetlinkFailure) in
      try KernelListener(RouteTranslation(ranges: ranges), own, handler)
    }
    loop.enqueue { listener.watch(on: loop) }
  }
}
