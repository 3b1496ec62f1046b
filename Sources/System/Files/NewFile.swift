internal import Glibc

/// A new file for a person, which never replaces another.
package enum NewFile {
  /// For its owner alone. Throws if there is already a file or link with this name.
  package static func write(_ bytes: [UInt8], to path: String) throws(SystemCallFailure) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = try FileDescriptor.adopting(Glibc.open(path, flags, 0o600), "create \(path)")
    do throws(SystemCallFailure) { try file.writeAll(bytes, "write \(path)") } catch {
      unlink(path)
      throw error
    }
  }
}
