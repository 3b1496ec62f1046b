package import Agent
package import Core
internal import Glibc

/// The programs in the folder of hooks, run on a loop of their own.
package final class LinuxHooks: HookPort {
  /// Where backhaul-hooks.socket listens.
  package static let servicePath = "/run/backhaul-hooks.sock"

  /// Who runs the hooks.
  private enum Place: Sendable {
    /// This process, as this user; nil: as the user that it is.
    case here(HookUser?)
    /// The service behind this socket. An agent that is not root cannot become another user, and hooks that ran as the
    /// agent's user could read its keys.
    case service(String)
    case nowhere(SystemCallFailure)
  }

  private let directory: String
  private let owner: UInt32
  private let place: Place
  private let loop: Reactor

  /// - Parameters:
  ///   - owner: who folder and programs must belong to.
  ///   - service: where an agent that is not root has them run.
  ///   - isRoot: whether the agent is; nil: what this process is.
  package convenience init(
    _ configuration: HooksConfiguration, trusting owner: UInt32 = 0, service: String = servicePath, isRoot: Bool? = nil
  ) throws(SystemCallFailure) {
    try self.init(configuration, owner, Self.place(configuration.user, service, isRoot: isRoot ?? (geteuid() == 0)))
  }

  /// For the service itself, which already runs as the right user.
  convenience init(
    asOneself configuration: HooksConfiguration, trusting owner: UInt32
  ) throws(SystemCallFailure) {
    try self.init(configuration, owner, .here(nil))
  }

  private init(_ configuration: HooksConfiguration, _ owner: UInt32, _ place: Place) throws(SystemCallFailure) {
    directory = configuration.directory
    self.owner = owner
    self.place = place
    loop = try Reactor(name: "hooks")
  }

  private static func place(_ user: String?, _ service: String, isRoot: Bool) -> Place {
    guard isRoot else {
      guard let user else { return .service(service) }
      return .nowhere(
        SystemCallFailure(
          "run hooks as \(user)",
          cause: "only root can do that; here hooks run as the user of backhaul-hooks@.service (systemctl edit)"))
    }
    do throws(SystemCallFailure) { return .here(try HookUser.find(user)) } catch { return .nowhere(error) }
  }

  /// Reads the folder each time. Where there is no one to run them as, every hook is refused with the reason.
  package func hooks() -> HookListing {
    var listing = HookFolder.read(directory, trusting: owner)
    guard let why = obstacle else { return listing }
    for hook in listing.hooks { listing.refused[hook] = why }
    listing.hooks = []
    return listing
  }

  /// Why no hook can be run; nil if they can.
  private var obstacle: String? {
    switch place {
    case .here: return nil
    case .nowhere(let failure): return failure.description
    case .service(let path):
      var status = stat()
      if lstat(path, &status) == 0 { return nil }
      return "an agent that is not root runs hooks through backhaul-hooks.socket, but \(path) is not there"
    }
  }

  /// Cancelling the task ends the run.
  package func run(_ hook: String, environment: [String], limit: Duration) async -> HookOutcome {
    let running = Running()
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        loop.enqueue { [self] in
          do throws(SystemCallFailure) {
            let end = try start(hook, environment, limit) { continuation.resume(returning: $0) }
            if running.isCancelled { end() } else { running.end = end }
          } catch {
            continuation.resume(returning: HookOutcome(.notStarted(error.description)))
          }
        }
      }
    } onCancel: {
      loop.enqueue {
        running.isCancelled = true
        running.end?()
      }
    }
  }

  /// Used on the loop only.
  private final class Running: @unchecked Sendable {
    var isCancelled = false
    var end: (() -> Void)?
  }

  /// Returns a function that ends the run early.
  private func start(
    _ hook: String, _ environment: [String], _ limit: Duration, done: @escaping @Sendable (HookOutcome) -> Void
  ) throws(SystemCallFailure) -> () -> Void {
    switch place {
    case .here(let user):
      let process = try HookProcess(
        "\(directory)/\(hook)", environment: environment, user: user, limit: limit, on: loop, done: done)
      return process.stop
    case .service(let path):
      let errand = HookErrand(folder: directory, hook: hook, limit: limit, environment: environment)
      return try HookVisit(to: path, errand, on: loop, done: done).stop
    case .nowhere(let failure): throw failure
    }
  }
}
