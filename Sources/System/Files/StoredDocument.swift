internal import Agent
internal import Core
internal import Glibc
internal import RuleSets

/// What a store of the state directory keeps, under a checksum over all of it.
protocol StoredContents: Codable {
  static var currentFormat: Int { get }
  var format: Int { get }
  var checksum: String { get set }
  /// Over everything but `checksum`.
  var computedChecksum: String { get }
}

/// How the stores of the state directory write and read what they keep: one JSON document, whole or not at all.
enum StoredDocument {
  /// Puts the checksum in.
  static func write(_ contents: some StoredContents, to path: String) throws(StoreFailure) {
    var sealed = contents
    sealed.checksum = contents.computedChecksum
    let text: [UInt8]
    do {
      text = try JSONCoding().encode(sealed)
    } catch {
      throw StoreFailure(operation: "write \(path)", cause: "it cannot be written as JSON")
    }
    do throws(SystemCallFailure) {
      try AtomicFile.write(text, to: path)
    } catch {
      throw StoreFailure(error)
    }
  }

  /// Nil if there is no such file. Throws if it is too long, cut off, of another format or changed.
  static func read<Contents: StoredContents>(
    _ path: String, atMost maximumBytes: Int
  ) throws(StoreFailure) -> Contents? {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: maximumBytes)
    } catch {
      // If the directory is not one, no file can be in it.
      if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
      throw StoreFailure(error)
    }
    return try decode(bytes, from: path)
  }

  /// - Parameter path: where the bytes were read, for the error.
  static func decode<Contents: StoredContents>(
    _ bytes: [UInt8], from path: String
  ) throws(StoreFailure) -> Contents {
    // The caller bounds the file: a rule set is one long text in it.
    let limits = StrictJSON.Limits(bytes: .max)
    guard let contents = try? JSONCoding().decode(Contents.self, from: bytes, limits: limits) else {
      throw refusal(of: path, "cut off or not written by this agent")
    }
    guard contents.format == Contents.currentFormat else {
      throw refusal(of: path, "format \(contents.format), but this version reads \(Contents.currentFormat)")
    }
    guard contents.checksum == contents.computedChecksum else { throw refusal(of: path, "its checksum is wrong") }
    return contents
  }

  /// Makes sure that there is no such file, also after a power loss.
  static func remove(_ path: String) throws(StoreFailure) {
    do throws(SystemCallFailure) {
      guard unlink(path) == 0 else {
        // If the directory is not one, no file can be in it.
        if errno == ENOENT || errno == ENOTDIR { return }
        throw SystemCallFailure.last("remove \(path)")
      }
      try Directory.sync(Directory.holding(path))
    } catch {
      throw StoreFailure(error)
    }
  }

  static func refusal(of path: String, _ cause: String) -> StoreFailure {
    StoreFailure(operation: "read \(path)", cause: cause)
  }
}

extension StoreFailure {
  init(_ failure: SystemCallFailure) { self.init(operation: failure.operation, cause: failure.cause) }
}
