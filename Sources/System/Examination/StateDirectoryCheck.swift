package import Core
internal import Glibc

/// Whether the state directory can be written to. Nothing is written to find out.
package enum StateDirectoryCheck {
  /// A directory that is not there is an answer and not an error; anything else that keeps statvfs(3) from working
  /// throws.
  package static func look(at path: String) throws(SystemCallFailure) -> StateDirectory {
    var disk = statvfs()
    guard statvfs(path, &disk) == 0 else {
      guard errno == ENOENT else { throw SystemCallFailure.last("statvfs \(path)") }
      return StateDirectory(path: path, obstacle: "there is no such directory", freeBytes: 0, freeFiles: nil)
    }
    let obstacle = access(path, W_OK) == 0 ? nil : errorText(errno)
    // Where the directory cannot be listed, the obstacle says so.
    let names = (try? DirectoryListing.names(in: path)) ?? []
    return StateDirectory(
      path: path, obstacle: obstacle, freeBytes: UInt64(disk.f_bavail) * UInt64(disk.f_frsize),
      freeFiles: disk.f_files == 0 ? nil : UInt64(disk.f_favail),
      damaged: names.filter { $0.hasSuffix(SetAside.suffix) })
  }
}
