internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import RuleSets
internal import System

struct SupportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "support", abstract: "Write everything that support needs into one file, without secrets.",
    discussion: """
      Writes one text file: versions, the configuration, the cached rule set, every report of the agent, the last events, \
      what the kernel has and what it should have, and the system's own view. Secrets are removed wherever they appear: \
      the contents of the files that the configuration names, and anything that looks like a password, a token or a key. \
      Addresses and the names of devices and hubs remain, so look through the file before you send it on. It works \
      without an agent too, and says so. Run it as root, who may read everything; the file says what could not be read.
      """)

  @OptionGroup var options: ConfigurationOptions

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to write, which must not exist yet; - for standard output. Default: backhaul-support-DEVICE-TIME.txt "
        + "in the current directory.",
      valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("How long to wait for each answer from the agent, in seconds.", valueName: "seconds"))
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
