internal import Glibc

/// Moves what cannot be used out of the way: a damaged file, or anything else in a file's place. It stays in the same
/// directory for a person to look at, one for each name.
package enum SetAside {
  package static let suffix = ".damaged"

  /// Where a path's file goes when it is set aside.
  package static func place(of path: String) -> String { path + suffix }

  /// Returns the new path. An earlier file that was set aside gives way, unless it is a directory that is not empty.
  package static func rename(_ path: String) throws(SystemCallFailure) -> String {
    let aside = place(of: path)
    if Glibc.rename(path, aside) == 0 { return aside }
    // A file does not replace a directory, nor a directory a file.
    if errno == EISDIR || errno == ENOTDIR || errno == ENOTEMPTY || errno == EEXIST, remove(aside) == 0,
      Glibc.rename(path, aside) == 0
    {
      return aside
    }
    throw SystemCallFailure.last("rename \(path) to \(aside)")
  }

  /// Does the same and says what happened, in words for an event.
  package static func move(_ path: String) -> String {
    do throws(SystemCallFailure) { return "\(path) is set aside as \(try rename(path))" } catch {
      return "\(path) is left where it is (\(error))"
    }
  }
}
