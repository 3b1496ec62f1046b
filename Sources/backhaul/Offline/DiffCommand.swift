internal import Agent
internal import ArgumentParser
internal import Core
internal import RuleSets
internal import System

struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Show how the kernel differs from the rule set.",
    discussion: """
      Prints one line for each difference, in the terms of ip(8), nft(8) and sysctl(8): + for what is missing, - for what \
      should not be there, ~ for what differs. Objects of other software are not compared. The agent answers, and repairs \
      within a second whatever it can. If no agent answers, or with --offline, this command compares the cached rule set \
      with the kernel by itself; it then ignores which way each rule goes, and the sizes of encrypted tunnels, which only \
      the agent knows for sure, are estimates. Offline it must run as root.

      Exit status: 0 nothing differs; 1 something does; 66 no rule set is cached.
      """)

  @Flag(help: "Print the answer as JSON, for programs.")
  var json = false

  @Flag(help: "Do not ask the agent.")
  var offline = false

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    let configuration = try options.load()
    let report = try (offline ? nil : asked(configuration)) ?? computed(configuration)
    if json {
      print(String(decoding: LocalAPI.encode(report), as: UTF8.self))
    } else {
      for difference in report.differences { print(Terminal.plain(difference.line)) }
    }
    if !report.differences.isEmpty { throw Exit.bad }
  }

  /// Nil if no agent answers.
  private func asked(_ configuration: AgentConfiguration) throws -> DiffReport? {
    let bytes: [UInt8]
    do throws(LocalFailure) {
      bytes = try LocalClient.ask(
        socketPath: configuration.files.socket, request: LocalAPI.encode(LocalAPI.Request(.diff)), timeout: .seconds(5))
    } catch {
      printError("backhaul: \(error); the cached rule set is compared instead")
      return nil
    }
    do {
      return try LocalAPI.decode(DiffReport.self, from: bytes)
    } catch let refusal as LocalAPI.Refusal {
      throw complain("the agent refused: \(refusal)", Exit.failed)
    } catch {
      throw complain("the agent's answer is not understood (another version?): \(error)", Exit.unavailable)
    }
  }

  private func computed(_ configuration: AgentConfiguration) throws -> DiffReport {
    let layout = try CachedRuleSet.layout(configuration)
    do throws(KernelFailure) {
      let kernel = try LinuxKernel(configuration.kernel, stateDirectory: configuration.files.stateDirectory)
      return DiffReport(
        revision: layout.ruleSet.revision, from: "cache", try kernel.differences(from: layout))
    } catch {
      throw kernelComplaint(error)
    }
  }
}
