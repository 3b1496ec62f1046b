internal import Agent
internal import Core
internal import Glibc
internal import RuleSets

/// One errand to the service that runs hooks, seen from the agent: asked, and waited for. Used on the loop only.
final class HookVisit: @unchecked Sendable {
  /// Over the hook's own limit, which the service keeps: for a program to be loaded on a busy router.
  private static let patience: Duration = .seconds(15)

  private let socket: FileDescriptor
  private let loop: Reactor
  private let done: @Sendable (HookOutcome) -> Void
  private var timer: TimerID?
  private var isOver = false

  /// Asks. Throws if that cannot be; `done` is called once otherwise.
  init(
    to address: String, _ errand: HookErrand, on loop: Reactor, done: @escaping @Sendable (HookOutcome) -> Void
  ) throws(SystemCallFailure) {
    let address = try UnixAddress(address)
    socket = try UnixAddress.newSocket(SOCK_SEQPACKET)
    self.loop = loop
    self.done = done
    guard address.connect(socket.number) == 0 else {
      throw SystemCallFailure.last("ask \(address.path) to run \(errand.hook)")
    }
    let packet = errand.packet
    guard send(socket.number, packet, packet.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) == packet.count else {
      throw SystemCallFailure.last("ask \(address.path) to run \(errand.hook)")
    }
    try loop.watch(socket.number, for: .readable) { [self] _ in read() }
    timer = loop.at(loop.now + errand.limit + Self.patience) { [self] _ in
      timer = nil
      end(HookOutcome(.notStarted("the service that runs hooks gives no answer")))
    }
  }

  /// The service ends a hook that nobody waits for.
  func stop() {
    if !isOver { end(HookOutcome(.killed(signal: SIGKILL))) }
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: HookErrand.largest)
    let count = recv(socket.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0 else {
      return end(
        HookOutcome(.notStarted("the service that runs hooks broke off: journalctl -u 'backhaul-hooks*' may say why")))
    }
    end(
      HookOutcome(packet: Array(buffer[..<count]))
        ?? HookOutcome(.notStarted("the service that runs hooks gives an answer that makes no sense")))
  }

  private func end(_ outcome: HookOutcome) {
    isOver = true
    loop.unwatch(socket.number)
    if let timer { loop.cancel(timer) }
    done(outcome)
  }
}
