internal import Glibc

/// What lies in a directory.
package enum DirectoryListing {
  /// The names, in order, without `.` and `..`, and at most a thousand.
  package static func names(in path: String) throws(SystemCallFailure) -> [String] {
    guard let directory = opendir(path) else { throw SystemCallFailure.last("open \(path)") }
    defer { closedir(directory) }
    var names: [String] = []
    while names.count < 1_000, let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
