import ArgumentParser
import Glibc
import System
import Testing

@testable import backhaul

/// What `check` holds against a rule set besides its text.
@Suite struct CheckCommandTests {
  /// A file of the repository.
  private func path(_ name: String, _ here: String = #filePath) -> String {
    here.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/") + "/" + name
  }
  private var sample: String { path("etc/rule-set.example.json") }

  private func status(_ arguments: [String]) -> Int32 {
    do {
      var command = try Backhaul.parseAsRoot(["check"] + arguments)
      try command.run()
      return 0
    } catch {
      return Backhaul.exitCode(for: error).rawValue
    }
  }

  @Test func aConfigurationThatWasNamedMustBeThere() {
    #expect(status([sample, "--config", "/nonexistent/agent.toml"]) == Exit.badConfiguration.rawValue)
    #expect(status([sample, "--config", path("etc/agent.toml")]) == 0)
  }

  @Test func aRuleSetThatTheAgentWouldFindTooLargeIsRefused() throws {
    let text = String(decoding: try BoundedFile.read(path("etc/agent.toml"), atMost: 1 << 20), as: UTF8.self)
    let small = text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.hasPrefix("# max_bytes =") ? "max_bytes = 1024" : $0 }.joined(separator: "\n")
    #expect(small != text)
    var name = Array("/tmp/backhaul-check-XXXXXX".utf8CString)
    let file = mkstemp(&name)
    try #require(file >= 0)
    defer { unlink(name) }
    _ = small.withCString { write(file, $0, strlen($0)) }
    close(file)
    let configuration = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    #expect(status([sample, "--config", configuration]) == Exit.bad.rawValue)
  }
}
