internal import ArgumentParser
internal import Core
internal import RuleSets
internal import System

/// Reads a rule set from a file, or says all that is wrong with it.
enum RuleSetFile {
  /// Larger than any rule set that an agent accepts by default.
  static let maximumBytes = 64 << 20

  static func load(_ path: String) throws -> RuleSet {
    do throws(Unusable) { return try read(path).ruleSet } catch { throw complain(error.text, error.status) }
  }

  /// Why it is no rule set, for a person, and the status to leave with.
  struct Unusable: Error {
    var text: String
    var status: ExitCode
  }

  /// The rule set, and what it could say better.
  static func read(_ path: String) throws(Unusable) -> RuleSetDecoder.Decoded {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: maximumBytes)
    } catch {
      throw Unusable(text: "\(error)", status: Exit.failed)
    }
    do throws(Complaints) {
      return try RuleSetDecoder.decodeWithRemarks(bytes, limits: .init(bytes: maximumBytes))
    } catch {
      throw Unusable(text: "\(path) is refused:\n\(error)", status: Exit.bad)
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
