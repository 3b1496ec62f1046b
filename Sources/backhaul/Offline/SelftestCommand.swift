internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

struct SelftestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "selftest", abstract: "Try this very kernel with all that the agent asks of one, touching nothing.",
    discussion: """
      In a network namespace of its own, with made-up devices and documentation's addresses: tunnels of each kind, \
      marks, tables, ip rules, the nftables table, flips, and all of it taken away again. The router's own network is \
      neither read nor changed; the kernel may load modules for what is tried. For root alone; an agent may run meanwhile.

      Exit status: 0 all passed; 1 something failed.
      """)

  @Flag(help: "Print the answer as JSON, for programs.")
  var json = false

  func run() throws {
    var template = Array("/tmp/backhaul-selftest-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw complain("mkdtemp in /tmp: errno \(errno)", Exit.failed) }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      for name in (try? DirectoryListing.names(in: directory)) ?? [] { unlink("\(directory)/\(name)") }
      rmdir(directory)
    }
    let checks: [SelfTest.Check]
    do throws(KernelFailure) {
      checks = try KernelTrial(KernelRanges(), stateDirectory: directory).run()
    } catch {
      throw kernelComplaint(error)
    }
    let report = SelftestReport(checks)
    if json {
      print(String(decoding: LocalAPI.encode(report), as: UTF8.self))
    } else {
      for line in Self.lines(report, colours: Terminal.takesColours) { print(line) }
    }
    if !report.passed { throw Exit.bad }
  }

  static func lines(_ report: SelftestReport, colours: Bool = false) -> [String] {
    var lines: [String] = []
    for check in report.checks {
      let line = Terminal.plain("\(check.passed ? "ok  " : "FAIL")  \(check.name): \(check.text)")
      lines.append(Terminal.paint(line, check.passed ? nil : .red, ifWanted: colours))
      if let fix = check.fix { lines.append(Terminal.plain("      fix: \(fix)")) }
    }
    let failed = report.checks.count { !$0.passed }
    lines.append(failed == 0 ? "this kernel has all that is needed" : "\(failed) of \(report.checks.count) failed")
    return lines
  }
}
