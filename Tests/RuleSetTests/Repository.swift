import FoundationEssentials

/// Where the checkout is: documents that are also read by people lie outside of the test target.
enum Repository {
  /// The path of a file of the repository, from this source file's own.
  static func path(_ relative: String, from source: String = #filePath) -> String {
    let root = source.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/\(relative)"
  }

  static func bytes(_ relative: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path(relative))))
  }
}
