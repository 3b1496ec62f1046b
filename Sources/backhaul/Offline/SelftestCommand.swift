internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

struct SelftestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "selftest",
    abstract: "Test whether this kernel can do everything that the agent needs, without "
      + "touching the network.",
    discussion: """
      Works in a network namespace of its own, with made-up devices and documentation addresses: it tries tunnels of each \
      kind, marks, tables, ip rules, the nftables table and flips, and removes everything again. It neither reads nor \
      changes the router's own network; the kernel may load modules for what is tried. Only root may run it, and an agent \
      may be running meanwhile.

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
    lines.append(
      failed == 0
        ? "this kernel has everything that is needed"
        : "\(failed) of \(report.checks.count) "
          + "failed")
    return lines
  }
}
