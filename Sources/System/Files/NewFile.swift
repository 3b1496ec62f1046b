internal import Glibc

/// A file for a person, that takes the place of none.
package enum NewFile {
  /// For its owner alone. Throws where there is one by this name, or a link.
  package static func write(_ bytes: [UInt8], to path: String) throws(SystemCallFailure) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = try FileDescriptor.adopting(Glibc.open(path, flags, 0o600), "create \(path)")
    do throws(SystemCallFailure) { try file.writeAll(bytes, "write \(path)") } catch {
      unlink(path)
      throw error
    }
  }
}
