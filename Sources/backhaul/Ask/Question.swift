internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

/// What every question to the agent takes.
struct QuestionOptions: ParsableArguments {
  @Flag(help: "Print the answer as JSON, for programs.")
  var json = false

  @Option(help: ArgumentHelp("The agent's socket.", valueName: "path"))
  var socket = FileLocations().socket

  @Option(help: ArgumentHelp("How long to wait for the answer, in seconds.", valueName: "seconds"))
  var timeout = 5

  mutating func validate() throws {
    guard (1...600).contains(timeout) else { throw ValidationError("--timeout takes 1 to 600 seconds") }
  }
}

/// Asks the agent, prints the answer as JSON or by `lines`, and says clearly where no agent answers.
func ask<Answer: Decodable>(
  _ verb: LocalAPI.Verb, _ options: QuestionOptions, as type: Answer.Type, _ lines: (Answer) -> [String]
) throws {
  try ask(LocalAPI.Request(verb), options, as: type, lines)
}

/// - Parameter hint: what else there is to do where no agent answers.
func ask<Answer: Decodable>(
  _ question: LocalAPI.Request, _ options: QuestionOptions, hint: String? = nil, as type: Answer.Type,
  _ lines: (Answer) -> [String]
) throws {
  let request = LocalAPI.encode(question)
  let bytes: [UInt8]
  do throws(LocalFailure) {
    bytes = try LocalClient.ask(
      socketPath: options.socket, request: request, timeout: .seconds(options.timeout))
  } catch {
    switch error {
    case .noPermission: throw complain("\(error); run as root", Exit.notPermitted)
    case .noAgent, .brokeOff, .timedOut, .system:
      throw complain("\(error)" + (hint.map { "\n\($0)" } ?? ""), Exit.unavailable)
    }
  }
  let answer: Answer
  do {
    answer = try LocalAPI.decode(type, from: bytes)
  } catch let refusal as LocalAPI.Refusal {
    throw complain("the agent refused: \(refusal)", status(of: refusal))
  } catch {
    throw complain("the agent's answer is not understood (another version?): \(error)", Exit.unavailable)
  }
  if options.json {
    print(String(decoding: bytes, as: UTF8.self))
  } else {
    for line in lines(answer) { print(line) }
  }
}

private func status(of refusal: LocalAPI.Refusal) -> ExitCode {
  if refusal.isDenied == true { return Exit.notPermitted }
  return refusal.isBusy == true ? Exit.unavailable : Exit.bad
}
