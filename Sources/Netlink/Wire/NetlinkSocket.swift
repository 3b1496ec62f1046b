internal import CMnl
internal import Glibc

/// The one owner of a netlink socket; it is closed when its owner goes.
package struct NetlinkSocket: ~Copyable, @unchecked Sendable {
  private let handle: OpaquePointer
  /// Our address (nlmsg_pid): the kernel puts it into every answer, and into events that our requests cause.
  package let port: UInt32

  /// An answer of the kernel is queued by the time that sendmsg(2) returns, so this only bounds a kernel gone wrong.
  static let deadlineSeconds = 5

  // A throwing init of a noncopyable type may not throw both before and after initialisation: adopt, then configure.
  private init(adopting handle: OpaquePointer, port: UInt32) {
    self.handle = handle
    self.port = port
  }

  deinit { mnl_socket_close(handle) }

  /// Opens and binds. `groups` are multicast groups by number (RTNLGRP_…, NFNLGRP_…), each 32 at most.
  static func open(
    _ family: Int32, groups: [UInt32] = [], nonblocking: Bool = false, receiveBuffer: Int32? = nil
  ) throws(NetlinkFailure) -> NetlinkSocket {
    let type = Int32(SOCK_CLOEXEC.rawValue) | (nonblocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
    guard let handle = mnl_socket_open2(family, type) else { throw NetlinkFailure.last("open netlink socket") }
    let mask = groups.reduce(UInt32(0)) { $0 | 1 << ($1 - 1) }
    guard mnl_socket_bind(handle, mask, 0) == 0 else {
      let failure = NetlinkFailure.last("bind netlink socket")
      mnl_socket_close(handle)
      throw failure
    }
    let socket = NetlinkSocket(adopting: handle, port: mnl_socket_get_portid(handle))
    try socket.configure(receiveBuffer: receiveBuffer)
    return socket
  }

  private func configure(receiveBuffer: Int32?) throws(NetlinkFailure) {
    var one: Int32 = 1
    // Extended acknowledgement (the kernel's words), capped errors (not our whole request again), filtered dumps.
    // A kernel that lacks one of them answers ENOPROTOOPT and works without.
    for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] {
      _ = mnl_socket_setsockopt(handle, option, &one, socklen_t(MemoryLayout<Int32>.size))
    }
    var deadline = timeval(tv_sec: Self.deadlineSeconds, tv_usec: 0)
    guard setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &deadline, socklen_t(MemoryLayout<timeval>.size)) == 0 else {
      throw NetlinkFailure.last("set SO_RCVTIMEO")
    }
    guard var size = receiveBuffer else { return }
    guard setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw NetlinkFailure.last("set SO_RCVBUFFORCE")
    }
  }

  /// For poll and epoll; stays ours.
  package var descriptor: Int32 { mnl_socket_get_fd(handle) }

  /// Makes room for one datagram of this size: a netlink message must fit the send buffer whole.
  func reserve(_ bytes: Int) {
    var size = Int32(clamping: bytes.multipliedReportingOverflow(by: 2).partialValue)
    // Where this fails the send says ENOBUFS or EMSGSIZE.
    _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
  }

  func send(_ bytes: UnsafeRawBufferPointer, _ operation: @autoclosure () -> String) throws(NetlinkFailure) {
    while mnl_socket_sendto(handle, bytes.baseAddress, bytes.count) < 0 {
      guard errno == EINTR else { throw NetlinkFailure.last(operation()) }
    }
  }

  /// One datagram; nil if none waits (a nonblocking socket, or `waiting` false). A blocking socket that gets nothing
  /// until the deadline throws ETIMEDOUT.
  func receive(
    into buffer: UnsafeMutableRawBufferPointer, waiting: Bool = true, _ operation: @autoclosure () -> String
  ) throws(NetlinkFailure) -> UnsafeRawBufferPointer? {
    let flags = Int32(MSG_TRUNC) | (waiting ? 0 : Int32(MSG_DONTWAIT))
    while true {
      var sender = sockaddr_nl()
      var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
      let count = withUnsafeMutableBytes(of: &sender) { bytes in
        recvfrom(
          descriptor, buffer.baseAddress, buffer.count, flags,
          bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
          &length)
      }
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { return nil }
        throw NetlinkFailure.last(operation())
      }
      // Another process may send to our port; only port 0 is the kernel.
      if sender.nl_pid != 0 { continue }
      guard count <= buffer.count else { throw NetlinkFailure(operation: operation(), errno: EMSGSIZE) }
      return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }
  }
}
