internal import Glibc

/// The one owner of an open file descriptor; it is closed when its owner goes.
package struct FileDescriptor: ~Copyable, Sendable {
  /// Valid as long as this value lives.
  package let number: Int32

  private init(_ number: Int32) { self.number = number }

  /// Takes what a call returned; a negative number throws errno with `operation`.
  package static func adopting(
    _ number: Int32, _ operation: @autoclosure () -> String
  ) throws(SystemCallFailure) -> FileDescriptor {
    guard number >= 0 else { throw SystemCallFailure.last(operation()) }
    return FileDescriptor(number)
  }

  /// Writes all of it, in as many calls as that takes. What fails throws errno with `operation`.
  borrowing func writeAll(_ bytes: [UInt8], _ operation: @autoclosure () -> String) throws(SystemCallFailure) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(number, $0.baseAddress.map { $0 + written }, $0.count - written) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SystemCallFailure.last(operation()) }
      written += count
    }
  }

  deinit { close(number) }

  /// Gives up ownership: the caller closes it.
  package consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }
}
