internal import CLinux
internal import Glibc

/// A system call that failed: what was asked, of which object, and what came back.
package struct SystemCallFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call and its object: `bind /run/backhaul/agent.sock`.
  package var operation: String
  /// 0 where the failure is ours and not the kernel's.
  package var errno: Int32
  package var cause: String

  package init(_ operation: String, errno: Int32) {
    self.operation = operation
    self.errno = errno
    self.cause = errorText(errno)
  }

  package init(_ operation: String, cause: String) {
    self.operation = operation
    self.errno = 0
    self.cause = cause
  }

  /// For the line after the call that failed. errno is read before `operation` is put together.
  static func last(_ operation: @autoclosure () -> String) -> SystemCallFailure {
    let error = Glibc.errno
    return SystemCallFailure(operation(), errno: error)
  }

  package var description: String { "\(operation): \(cause)" }
}

/// The C library's words for an errno.
package func errorText(_ number: Int32) -> String { String(cString: linux_error_text(number)) }
