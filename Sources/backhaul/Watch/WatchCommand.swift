internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import RuleSets
internal import System

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "A live, interactive view of rules, paths with their round trips and losses, and "
      + "events.",
    discussion: """
      Keys: q quits, the arrows choose a path, f forces it up or down or lets its probes judge it again (root only), / \
      shows only paths that match, t only those that are not up, p pauses the display, ? shows help. Set NO_COLOR to turn \
      colours off. It needs a terminal; without one, use backhaul status --watch.
      """)

  @Option(help: ArgumentHelp("The agent's socket.", valueName: "path"))
  var socket = FileLocations().socket

  @Option(help: ArgumentHelp("How often to ask, in seconds.", valueName: "seconds"))
  var every = 1

  mutating func validate() throws {
    guard (1...60).contains(every) else { throw ValidationError("--every takes 1 to 60 seconds") }
  }

  func run() throws {
    // What is wrong from the start is printed on the normal terminal.
    var first = LocalAPI.Request(.status)
    first.paths = []
    do throws(Unanswered) { _ = try ask(first, as: StatusReport.self) } catch {
      throw complain(error.text, error.status)
    }
    guard let screen = Screen.take() else {
      throw complain("watch needs a terminal; without one, use backhaul status --watch", Exit.bad)
    }
    watch(on: screen)
  }

  private func watch(on screen: borrowing Screen) {
    var view = LiveView()
    var lastEvent: UInt64?
    var due = MonotonicClock.now
    while true {
      let size = screen.size
      if MonotonicClock.now >= due {
        look(&view, &lastEvent, lines: size.lines)
        due = MonotonicClock.now + .seconds(every)
      }
      screen.draw(
        view.lines(
          columns: size.columns, lines: size.lines, clock: String(WallClock.now.text.prefix(19)) + "Z",
          colours: Terminal.takesColours))
      let left = due - MonotonicClock.now
      switch screen.wait(milliseconds: Int(left.nanoseconds / 1_000_000) + 1) {
      case .ended: return
      case .nothing: break
      case .keys(let keys):
        for key in keys {
          switch view.typed(key) {
          case .quit?: return
          case .force(let path, let force, let seconds)?:
            view.message = order(path, force, seconds)
            due = MonotonicClock.now
          case nil: break
          }
        }
      }
    }
  }

  private func look(_ view: inout LiveView, _ lastEvent: inout UInt64?, lines: Int) {
    var question = LocalAPI.Request(.status)
    question.paths = view.wanted(lines: lines)
    var request = LocalAPI.Request(.events)
    // From memory, except the first time.
    request.after = lastEvent
    request.limit = 50
    do throws(Unanswered) {
      let status = try ask(question, as: StatusReport.self)
      let events = try ask(request, as: EventsReport.self)
      lastEvent = events.lastNumber ?? lastEvent
      view.answered(status, newEvents: events.events)
    } catch {
      view.failed(error.text)
    }
  }

  private func ask<Answer: Decodable>(_ request: LocalAPI.Request, as type: Answer.Type) throws(Unanswered) -> Answer {
    try Question(request, socket: socket, timeout: .seconds(5)).ask(as: type).answer
  }

  private func order(_ path: String, _ force: String, _ seconds: Double?) -> String {
    var request = LocalAPI.Request(.force)
    request.path = path
    request.force = force
    request.forSeconds = seconds
    request.reason = force == "auto" ? nil : "by backhaul watch"
    do throws(Unanswered) {
      let report = try ask(request, as: ForceReport.self)
      return (ForceCommand.lines(report) + report.warnings.map { "warning: \($0)" }).joined(separator: "; ")
    } catch {
      return error.text
    }
  }
}
