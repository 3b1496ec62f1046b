import FoundationEssentials

/// Where the checkout is: documents that are also read by people and other tests lie outside of the test target.
enum Repository {
  /// The path of a file of the repository, from this source file's own.
  static func path(_ relative: String, from source: String = #filePath) -> String {
    let root = source.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/\(relative)"
  }

  static func bytes(_ relative: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path(relative))))
  }

  static func text(_ relative: String) throws -> String { String(decoding: try bytes(relative), as: UTF8.self) }

  /// The names of the files of a folder that end so, without the ending, sorted.
  static func names(in folder: String, ending: String) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []
    return files.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
  }
}
