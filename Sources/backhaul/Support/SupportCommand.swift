internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import RuleSets
internal import System

struct SupportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "support", abstract: "Write all that a supporter needs into one file, without secrets.",
    discussion: """
      One text file: versions, the configuration, the cached rule set, every report of the agent, the last events, what \
      the kernel has and what it should have, and the system's own view. Secrets are taken out: what the files hold that \
      the configuration names, wherever it stands, and whatever looks like a password, a token or a key. Addresses, \
      names of devices and of hubs stay: look through it before you send it on. Works without an agent too, and says so. \
      Run it as root, who may read everything; what cannot be read is said in its place.
      """)

  @OptionGroup var options: ConfigurationOptions

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to write, which must not be there yet; - for standard output. backhaul-support-DEVICE-TIME.txt here if not said.",
      valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("How long to wait for each answer of the agent, in seconds.", valueName: "seconds"))
  var timeout = 5

  mutating func validate() throws {
    guard (1...600).contains(timeout) else { throw ValidationError("--timeout takes 1 to 600 seconds") }
  }

  func run() throws {
    let bundle = SupportBundle(configurationPath: options.config, timeout: .seconds(timeout))
    let text = bundle.text
    if output == "-" { return print(text, terminator: "") }
    let path = output ?? "backhaul-support-\(bundle.device ?? "unknown")-\(Self.stamp(WallClock.now)).txt"
    do throws(SystemCallFailure) { try NewFile.write(Array(text.utf8), to: path) } catch {
      throw complain("\(error)", Exit.failed)
    }
    print(
      "\(path): \(Words.bytes(UInt64(text.utf8.count))), for you alone to read. Look through it before you send it on.")
  }

  /// `20260801T120000Z`.
  private static func stamp(_ time: WallTime) -> String {
    time.text.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
  }
}
