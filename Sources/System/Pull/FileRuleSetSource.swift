package import Agent
package import Core
package import Transfer

/// The rule set from a file. Its ETag is made from its size and checksum, so a file that was only touched counts as
/// unchanged.
package struct FileRuleSetSource: RuleSetSource {
  private let path: String
  private let maximumBytes: Int

  package init(path: String, maximumBytes: Int) {
    self.path = path
    self.maximumBytes = maximumBytes
  }

  /// Reads the whole file each time. An empty file is a failure: somebody may be writing it at this moment.
  package func fetch(etag: String?) async throws(FetchFailure) -> Fetched {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: maximumBytes)
    } catch {
      throw FetchFailure(operation: error.operation, cause: error.cause)
    }
    guard !bytes.isEmpty else { throw FetchFailure(operation: "read \(path)", cause: "it is empty") }
    var sum = Checksum()
    sum.add(bytes)
    let found = "\"\(bytes.count)-\(sum.text)\""
    return found == etag ? .unchanged : .document(bytes: bytes, etag: found)
  }
}

extension RuleSetSourceConfiguration {
  /// The source that the configuration names.
  package func source(by engine: TransferEngine) -> any RuleSetSource {
    switch location {
    case .web(let url): WebRuleSetSource(url: url, self, by: engine)
    case .file(let path): FileRuleSetSource(path: path, maximumBytes: maximumBytes)
    }
  }
}
