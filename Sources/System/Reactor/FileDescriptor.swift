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

  deinit { close(number) }

  /// Gives up ownership: the caller closes it.
  package consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }
}
