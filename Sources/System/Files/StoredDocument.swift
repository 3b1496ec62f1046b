internal import Agent
internal import FoundationEssentials

/// How the stores of the state directory write what they keep: one JSON document, whole or not at all.
enum StoredDocument {
  static func write(_ contents: some Encodable, to path: String) throws(StoreFailure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do {
      data = try encoder.encode(contents)
    } catch {
      throw StoreFailure(operation: "write \(path)", cause: "not to be written as JSON")
    }
    do throws(SystemCallFailure) {
      try AtomicFile.write(Array(data), to: path)
    } catch {
      throw StoreFailure(operation: error.operation, cause: error.cause)
    }
  }
}
