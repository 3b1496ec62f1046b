internal import Glibc

/// A netlink exchange that failed: what was asked, and what came back.
package struct NetlinkFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was asked, of which object.
  package var operation: String
  package var errno: Int32
  /// NLMSGERR_ATTR_MSG: the kernel's own words, where it had some.
  package var kernelText: String?

  package init(operation: String, errno: Int32, kernelText: String? = nil) {
    self.operation = operation
    self.errno = errno
    self.kernelText = kernelText
  }

  /// What the C library left in `errno`; to be called right after the call that failed.
  static func last(_ operation: String) -> NetlinkFailure { NetlinkFailure(operation: operation, errno: Glibc.errno) }

  /// The kernel's words, else strerror's.
  package var cause: String { kernelText ?? String(cString: strerror(errno)) }

  package var description: String { "\(operation): \(cause) (errno \(errno))" }

  /// What was to be made is there.
  package var isAlreadyPresent: Bool { errno == EEXIST }

  /// What was to be deleted, or its parent, is not there. Routes answer ESRCH, rules and nftables ENOENT, devices ENODEV,
  /// addresses EADDRNOTAVAIL.
  package var isMissing: Bool { [ESRCH, ENOENT, ENODEV, EADDRNOTAVAIL].contains(errno) }

  /// A dump changed while it was read, or the nftables generation moved under a transaction: worth another try.
  package var isInterrupted: Bool { errno == EINTR || errno == ERESTART }

  /// The socket's queue overflowed and messages are lost.
  package var isOverrun: Bool { errno == ENOBUFS }

  /// The answer breaks its own lengths or lacks what it must have.
  static func malformed(_ operation: String) -> NetlinkFailure {
    NetlinkFailure(operation: operation, errno: EBADMSG, kernelText: "malformed netlink message")
  }
}
