package import Core
internal import Glibc
package import RuleSets

/// strongswan.conf with all that it includes, read as charon does.
package struct StrongswanConfFile {
  /// Charon reads another one where STRONGSWAN_CONF is in its environment.
  package static let standardPath = "/etc/strongswan.conf"

  /// Of one file; Debian's largest has 15 KiB.
  static let maximumBytes = 1 << 20
  /// If a file includes itself in any way, each round counts as one; an honest configuration needs three.
  static let maximumDepth = 8
  /// Debian has 90.
  static let maximumFiles = 500

  /// Throws if charon would not start, with the file and its line, and where a file cannot be read.
  package static func read(_ path: String = standardPath) throws(Complaint) -> StrongswanConf {
    var reading = StrongswanConfFile()
    return StrongswanConf(try reading.statements(of: path, depth: 0))
  }

  private var files = 0

  private mutating func statements(of path: String, depth: Int) throws(Complaint) -> [StrongswanConf.Statement] {
    files += 1
    guard files <= Self.maximumFiles else {
      throw Complaint(field: path, "expected at most \(Self.maximumFiles) files, but this is one more")
    }
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: Self.maximumBytes)
    } catch {
      throw Complaint(field: path, error.cause)
    }
    return try resolve(try StrongswanConf.parse(bytes, file: path), depth: depth)
  }

  /// Each include replaced by what it includes.
  private mutating func resolve(
    _ statements: [StrongswanConf.Statement], depth: Int
  ) throws(Complaint) -> [StrongswanConf.Statement] {
    var resolved: [StrongswanConf.Statement] = []
    for statement in statements {
      switch statement {
      case .setting: resolved.append(statement)
      case .section(let name, let references, let inner):
        resolved.append(.section(name, references: references, try resolve(inner, depth: depth)))
      case .include(let pattern, let place):
        guard depth < Self.maximumDepth else {
          throw Complaint(field: "\(place)", "files include each other \(Self.maximumDepth) deep: in a loop?")
        }
        for path in Self.files(matching: pattern, from: place.file) {
          resolved += try self.statements(of: path, depth: depth + 1)
        }
      }
    }
    return resolved
  }

  /// Sorted, as a later file replaces what an earlier one says. What is no file charon passes over, and so do we.
  private static func files(matching pattern: String, from file: String) -> [String] {
    let folder = file.lastIndex(of: "/").map { file[...$0] } ?? ""
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern.hasPrefix("/") ? pattern : folder + pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }.filter { path in
      var status = stat()
      return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
  }
}
