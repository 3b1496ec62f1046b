internal import Glibc

/// Reading a file that may be anything: of any size, a directory, a pipe that never ends.
package enum BoundedFile {
  /// Who may read the file besides its owner.
  package enum Secrecy: Equatable, Sendable {
    case open
    /// Group and others may do nothing with it, and it belongs to root or to us. Root, who inspects what the service's
    /// user reads, may read anybody's.
    case ownerOnly
  }

  /// The whole file; throws if it is not a regular file or is larger than `limit`.
  package static func read(
    _ path: String, atMost limit: Int, secrecy: Secrecy = .open
  ) throws(SystemCallFailure) -> [UInt8] {
    // O_NONBLOCK: opening a pipe must not wait for its writer.
    let file = try FileDescriptor.adopting(Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), "open \(path)")
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw SystemCallFailure.last("stat \(path)") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemCallFailure("read \(path)", cause: "not a file") }
    if secrecy == .ownerOnly { try checkOwner(status, path) }
    guard status.st_size <= limit else {
      throw SystemCallFailure("read \(path)", cause: "larger than \(limit) bytes")
    }
    return try readAll(file, path, atMost: limit)
  }

  private static func checkOwner(_ status: stat, _ path: String) throws(SystemCallFailure) {
    guard status.st_mode & 0o077 == 0 else {
      throw SystemCallFailure("read \(path)", cause: "group or others have access to it: chmod 600")
    }
    guard status.st_uid == 0 || status.st_uid == geteuid() || geteuid() == 0 else {
      throw SystemCallFailure("read \(path)", cause: "it belongs to another user")
    }
  }

  private static func readAll(
    _ file: borrowing FileDescriptor, _ path: String, atMost limit: Int
  ) throws(SystemCallFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(file.number, &buffer, buffer.count)
      if count == 0 { return bytes }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SystemCallFailure.last("read \(path)") }
      // It may have grown since fstat.
      guard bytes.count + count <= limit else {
        throw SystemCallFailure("read \(path)", cause: "larger than \(limit) bytes")
      }
      bytes.append(contentsOf: buffer[..<count])
    }
  }
}
