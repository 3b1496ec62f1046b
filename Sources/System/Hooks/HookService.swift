internal import Agent
internal import Core
internal import Glibc

/// The other end of a `HookVisit`: what systemd starts for each errand, as a user that has no right to anything of the
/// agent's (packaging/systemd/backhaul-hooks@.service).
package enum HookService {
  /// Serves the errand that comes by this socket, and returns once its answer has been sent. Checks again whether the
  /// hook may run: the agent's word is not enough.
  /// - Parameter owner: who the folder and the hook must belong to.
  package static func serve(
    _ connection: Int32 = STDIN_FILENO, trusting owner: UInt32 = 0
  ) async throws(SystemCallFailure) {
    let errand = try receive(connection)
    let hooks = try LinuxHooks(asOneself: HooksConfiguration(directory: errand.folder), trusting: owner)
    let listing = hooks.hooks()
    let outcome =
      if listing.hooks.contains(errand.hook) {
        try await run(errand, hooks, connection)
      } else {
        HookOutcome(.notStarted(listing.refused[errand.hook] ?? "there is no such hook in \(errand.folder)"))
      }
    let packet = outcome.packet
    // An agent that has gone wants no answer.
    _ = send(connection, packet, packet.count, Int32(MSG_NOSIGNAL))
  }

  /// The hook ends with the agent that waits for it: the next agent would start another one beside it.
  private static func run(
    _ errand: HookErrand, _ hooks: LinuxHooks, _ connection: Int32
  ) async throws(SystemCallFailure) -> HookOutcome {
    let loop = try Reactor(name: "connection")
    let running = Task { await hooks.run(errand.hook, environment: errand.environment, limit: errand.limit) }
    loop.enqueue {
      // Nothing more is to come by it: this is its end.
      do throws(SystemCallFailure) {
        try loop.watch(connection, for: .readable) { _ in
          loop.unwatch(connection)
          running.cancel()
        }
      } catch { running.cancel() }
    }
    let outcome = await running.value
    await withCheckedContinuation { continuation in
      loop.enqueue {
        loop.unwatch(connection)
        continuation.resume()
      }
    }
    loop.stop()
    return outcome
  }

  private static func receive(_ connection: Int32) throws(SystemCallFailure) -> HookErrand {
    var type: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(connection, SOL_SOCKET, SO_TYPE, &type, &length) == 0, type == Int32(SOCK_SEQPACKET.rawValue)
    else {
      throw SystemCallFailure("take an errand", cause: "standard input is not a connection of backhaul-hooks.socket")
    }
    // Against clients that connect and say nothing.
    var descriptor = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    guard poll(&descriptor, 1, 5_000) == 1 else { throw SystemCallFailure("take an errand", cause: "none came in 5 s") }
    // One byte more than it may have, to see that there is more.
    var buffer = [UInt8](repeating: 0, count: HookErrand.largest + 1)
    let count = recv(connection, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    guard count >= 0 else { throw SystemCallFailure.last("take an errand") }
    guard let errand = HookErrand(packet: Array(buffer[..<count])) else {
      throw SystemCallFailure("take an errand", cause: "the \(count) bytes that came are not an errand")
    }
    return errand
  }
}
