internal import Glibc

/// Writing a file so that a crash or a power loss leaves the old one or the new one, whole.
package enum AtomicFile {
  /// Written beside as `PATH.new`, synced, renamed over `path`, and the directory synced, which makes the rename last.
  /// What root writes is the directory's owner's: the service, which runs as another user, must find its way there.
  ///
  /// - Parameters:
  ///   - mode: whatever the umask says.
  ///   - durable: false: what is as good as gone in a moment need not outlast a power loss, and wears out no flash.
  package static func write(
    _ bytes: [UInt8], to path: String, mode: UInt32 = 0o600, durable: Bool = true
  ) throws(SystemCallFailure) {
    let beside = path + ".new"
    // One that an earlier crash left, or whatever else has its name. EXCL and NOFOLLOW: nobody's symbolic link leads us
    // elsewhere.
    if unlink(beside) != 0 && errno != ENOENT { _ = try? SetAside.rename(beside) }
    do throws(SystemCallFailure) {
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
      let file = try FileDescriptor.adopting(Glibc.open(beside, flags, mode), "create \(beside)")
      try giveAway(file, beside)
      guard fchmod(file.number, mode) == 0 else { throw SystemCallFailure.last("chmod \(beside)") }
      try file.writeAll(bytes, "write \(beside)")
      guard !durable || fsync(file.number) == 0 else { throw SystemCallFailure.last("sync \(beside)") }
      guard rename(beside, path) == 0 else { throw SystemCallFailure.last("rename \(beside) to \(path)") }
    } catch {
      unlink(beside)
      throw error
    }
    if durable { try Directory.sync(Directory.holding(path)) }
  }

  private static func giveAway(_ file: borrowing FileDescriptor, _ path: String) throws(SystemCallFailure) {
    guard geteuid() == 0 else { return }
    let directory = Directory.holding(path)
    var status = stat()
    guard stat(directory, &status) == 0 else { throw SystemCallFailure.last("stat \(directory)") }
    guard status.st_uid != 0 else { return }
    guard fchown(file.number, status.st_uid, status.st_gid) == 0 else { throw SystemCallFailure.last("chown \(path)") }
  }
}

/// Directories of the agent's own.
package enum Directory {
  /// Makes `path` and what is missing above it, whatever the umask says. One that is there keeps its mode; anything else
  /// there throws.
  package static func make(_ path: String, mode: UInt32) throws(SystemCallFailure) {
    if mkdir(path, mode) == 0 { return try setMode(path, mode) }
    switch errno {
    case EEXIST:
      var status = stat()
      guard stat(path, &status) == 0 else { throw SystemCallFailure.last("stat \(path)") }
      guard status.st_mode & S_IFMT == S_IFDIR else { throw SystemCallFailure("mkdir \(path)", errno: ENOTDIR) }
    case ENOENT where holding(path) != path:
      try make(holding(path), mode: 0o755)
      guard mkdir(path, mode) == 0 || errno == EEXIST else { throw SystemCallFailure.last("mkdir \(path)") }
      try setMode(path, mode)
    default: throw SystemCallFailure.last("mkdir \(path)")
    }
  }

  private static func setMode(_ path: String, _ mode: UInt32) throws(SystemCallFailure) {
    guard chmod(path, mode) == 0 else { throw SystemCallFailure.last("chmod \(path)") }
  }

  /// Makes sure that names which were made, renamed or removed in it outlast a power loss.
  static func sync(_ path: String) throws(SystemCallFailure) {
    let directory = try FileDescriptor.adopting(
      Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open \(path)")
    guard fsync(directory.number) == 0 else { throw SystemCallFailure.last("sync \(path)") }
  }

  /// The directory that `path` lies in: `/` for what lies in the root, `.` for a bare name.
  static func holding(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
