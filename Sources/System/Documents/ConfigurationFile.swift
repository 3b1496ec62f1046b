package import Core
internal import Glibc
package import RuleSets

/// The local configuration as a file: /etc/backhaul/agent.toml.
package enum ConfigurationFile {
  package static let standardPath = "/etc/backhaul/agent.toml"
  /// The commented sample has 4 KiB; what is larger than this is some other file.
  package static let maximumBytes = 1 << 20

  /// The configuration, or everything that is wrong with the file, its path included.
  package static func load(_ path: String) throws(ConfigurationFailure) -> AgentConfiguration {
    try loadWithText(path).configuration
  }

  /// The same, with the bytes that it was read from.
  package static func loadWithText(
    _ path: String
  ) throws(ConfigurationFailure) -> (configuration: AgentConfiguration, text: [UInt8]) {
    do throws(Complaints) {
      let text = try read(path)
      return (try decode(text), text)
    } catch {
      throw ConfigurationFailure(path: path, complaints: error)
    }
  }

  /// The state directory according to a file that cannot be used as a whole: the value of a line that sets
  /// `state_directory`, otherwise the standard place.
  package static func stateDirectory(ofUnusable path: String) -> String {
    let standard = FileLocations().stateDirectory
    guard let bytes = try? read(path) else { return standard }
    for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, word(parts[0]) == "state_directory" else { continue }
      let value = word(parts[1].prefix { $0 != "#" })
      guard let quote = value.first, quote == "\"" || quote == "'", value.count > 2, value.last == quote,
        value.dropFirst().hasPrefix("/")
      else { continue }
      return String(value.dropFirst().dropLast())
    }
    return standard
  }

  private static func word(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while text.last == " " || text.last == "\t" { text = text.dropLast() }
    return text
  }

  /// From the bytes of a file.
  package static func decode(_ bytes: [UInt8]) throws(Complaints) -> AgentConfiguration {
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw Complaints([Complaint(field: "", "expected text in UTF-8, found other bytes")])
    }
    let document: DocumentValue
    do throws(Complaint) {
      document = try TOMLDocument.parse(text)
    } catch {
      throw Complaints([error])
    }
    return try AgentConfigurationDecoder.decode(document)
  }

  private static func read(_ path: String) throws(Complaints) -> [UInt8] {
    // Without O_NONBLOCK a FIFO in the file's place would hold the agent's start for ever.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure("open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("stat") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Complaints([Complaint(field: "", "expected a file, found a directory, device or pipe")])
    }
    guard status.st_size <= maximumBytes else {
      throw Complaints([
        Complaint(field: "", "expected at most \(maximumBytes) bytes, found \(status.st_size)")
      ])
    }
    // One byte more than allowed, so that a file that grows meanwhile is noticed.
    var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure("read") }
      if count == 0 { return Array(bytes[..<filled]) }
      filled += count
    }
    throw Complaints([Complaint(field: "", "expected at most \(maximumBytes) bytes, found more")])
  }

  private static func failure(_ operation: String) -> Complaints {
    Complaints([Complaint(field: "", "\(operation): \(String(cString: strerror(errno)))")])
  }
}

/// A configuration file that can't be used: each complaint on a line of its own, after the file's path.
package struct ConfigurationFailure: Error, Equatable, Sendable, CustomStringConvertible {
  package var path: String
  package var complaints: Complaints

  package init(path: String, complaints: Complaints) {
    self.path = path
    self.complaints = complaints
  }

  package var description: String { complaints.all.map { "\(path): \($0)" }.joined(separator: "\n") }
}
