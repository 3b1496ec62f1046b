internal import ArgumentParser
internal import Core
internal import System

/// Reads a rule set from a file, or says all that is wrong with it.
enum RuleSetFile {
  /// More than any rule set that an agent takes over by default.
  static let maximumBytes = 64 << 20

  static func load(_ path: String) throws -> RuleSet {
    let bytes: [UInt8]
    do {
      bytes = try BoundedFile.read(path, atMost: maximumBytes)
    } catch {
      throw complain("\(error)", Exit.failed)
    }
    do {
      return try RuleSetDecoder.decode(bytes, limits: .init(bytes: maximumBytes))
    } catch {
      throw complain("\(path) is refused:\n\(error)", Exit.bad)
    }
  }

  static func check(_ ruleSet: RuleSet, on configuration: AgentConfiguration, _ path: String) throws {
    do {
      try RuleSetCheck.check(ruleSet, configuration)
    } catch {
      throw complain("\(path) does not fit this router:\n\(error)", Exit.bad)
    }
  }
}
