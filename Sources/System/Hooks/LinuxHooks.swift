package import Agent
package import Core

/// The programs in the folder of hooks, run on a loop of their own.
package final class LinuxHooks: HookPort {
  private let directory: String
  private let owner: UInt32
  private let user: Result<HookUser?, SystemCallFailure>
  private let loop: Reactor

  /// - Parameter owner: who folder and programs must belong to.
  package init(_ configuration: HooksConfiguration, trusting owner: UInt32 = 0) throws(SystemCallFailure) {
    directory = configuration.directory
    self.owner = owner
    do throws(SystemCallFailure) { user = .success(try HookUser.find(configuration.user)) } catch {
      user = .failure(error)
    }
    loop = try Reactor(name: "hooks")
  }

  package func hooks() -> HookListing {
    var listing = HookFolder.read(directory, trusting: owner)
    guard case .failure(let failure) = user else { return listing }
    for hook in listing.hooks { listing.refused[hook] = failure.description }
    listing.hooks = []
    return listing
  }

  package func run(_ hook: String, environment: [String], limit: Duration) async -> HookOutcome {
    await withCheckedContinuation { continuation in
      loop.enqueue { [self] in
        do throws(SystemCallFailure) {
          _ = try HookProcess(
            "\(directory)/\(hook)", environment: environment, user: try user.get(), limit: limit, on: loop
          ) { continuation.resume(returning: $0) }
        } catch {
          continuation.resume(returning: HookOutcome(.notStarted(error.description)))
        }
      }
    }
  }
}
