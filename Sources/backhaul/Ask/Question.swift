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

/// What questions take that are worth asking again and again.
struct RepeatOptions: ParsableArguments {
  @Flag(help: "Ask repeatedly, until Ctrl-C; with --json each answer is one line.")
  var watch = false

  @Option(help: ArgumentHelp("Seconds between answers with --watch.", valueName: "seconds"))
  var every = 2

  mutating func validate() throws {
    guard (1...3_600).contains(every) else { throw ValidationError("--every takes 1 to 3600 seconds") }
  }
}

/// Why a question has no answer, for a person, and the status to leave with.
struct Unanswered: Error {
  var text: String
  var status: ExitCode
  /// The agent may answer later.
  var isPassing: Bool { status == Exit.unavailable }
}

/// A question that goes to the agent by its socket.
struct Question {
  private let bytes: [UInt8]
  private let socket: String
  private let timeout: Duration

  init(_ request: LocalAPI.Request, _ options: QuestionOptions) {
    self.init(request, socket: options.socket, timeout: .seconds(options.timeout))
  }

  init(_ request: LocalAPI.Request, socket: String, timeout: Duration) {
    bytes = LocalAPI.encode(request)
    self.socket = socket
    self.timeout = timeout
  }

  /// The answer as it came, and what it says.
  func ask<Answer: Decodable>(as type: Answer.Type) throws(Unanswered) -> (bytes: [UInt8], answer: Answer) {
    let reply: [UInt8]
    do throws(LocalFailure) {
      reply = try LocalClient.ask(socketPath: socket, request: bytes, timeout: timeout)
    } catch {
      switch error {
      case .noPermission:
        throw Unanswered(text: "\(error); run as root, or as a member of the group backhaul", status: Exit.notPermitted)
      case .noAgent, .brokeOff, .timedOut, .system: throw Unanswered(text: "\(error)", status: Exit.unavailable)
      }
    }
    do {
      return (reply, try LocalAPI.decode(type, from: reply))
    } catch let refusal as LocalAPI.Refusal {
      throw Unanswered(text: "the agent refused: \(refusal)", status: status(of: refusal))
    } catch {
      throw Unanswered(
        text: "the agent's answer is not understood (another version?): \(error)", status: Exit.unavailable)
    }
  }
}

/// Asks the agent, prints the answer as JSON or by `lines`, and says clearly where no agent answers.
func ask<Answer: Decodable>(
  _ verb: LocalAPI.Verb, _ options: QuestionOptions, _ repeating: RepeatOptions? = nil, as type: Answer.Type,
  _ lines: (Answer) -> [String]
) throws {
  try ask(LocalAPI.Request(verb), options, repeating, as: type, lines)
}

/// - Parameter hint: what else there is to do where no agent answers.
func ask<Answer: Decodable>(
  _ request: LocalAPI.Request, _ options: QuestionOptions, _ repeating: RepeatOptions? = nil, hint: String? = nil,
  as type: Answer.Type, _ lines: (Answer) -> [String]
) throws {
  let question = Question(request, options)
  func answer() throws(Unanswered) -> [String] {
    let (bytes, answer) = try question.ask(as: type)
    return options.json ? [String(decoding: bytes, as: UTF8.self)] : lines(answer)
  }
  guard let repeating, repeating.watch else {
    do throws(Unanswered) {
      for line in try answer() { print(line) }
    } catch {
      throw complain(error.text + (error.isPassing ? hint.map { "\n\($0)" } ?? "" : ""), error.status)
    }
    return
  }
  var page = Page(isBare: options.json, every: repeating.every)
  while true {
    do throws(Unanswered) {
      page.show(try answer())
    } catch {
      guard error.isPassing else { throw complain(error.text, error.status) }
      page.show(trouble: error.text)
    }
    sleep(UInt32(repeating.every))
  }
}

private func status(of refusal: LocalAPI.Refusal) -> ExitCode {
  if refusal.isDenied == true { return Exit.notPermitted }
  return refusal.isBusy == true ? Exit.unavailable : Exit.bad
}
