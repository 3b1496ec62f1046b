internal import Agent
internal import Core
internal import Glibc
internal import RuleSets

/// One client: its request is read, handled and replied to, then it is gone. Used on the loop only.
final class LocalConnection: @unchecked Sendable {
  private enum State {
    case reading([UInt8])
    /// The request, until it is its turn.
    case waiting([UInt8])
    case handling(Task<Void, Never>)
    /// The reply, and how much of it has left.
    case writing([UInt8], Int)
    case ended
  }

  private let descriptor: Box
  let peer: PeerCredentials
  private let loop: Reactor
  private let form: StreamForm
  private let queue: LocalQueue
  private let handler: LocalServer.Handler
  private let leave: @Sendable () -> Void
  private var state = State.reading([])

  private final class Box {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    var number: Int32 { descriptor.number }
  }

  init(
    _ descriptor: consuming FileDescriptor, _ peer: PeerCredentials, on loop: Reactor, _ form: StreamForm,
    _ queue: LocalQueue,
    _ handler: @escaping LocalServer.Handler, leave: @escaping @Sendable () -> Void
  ) {
    self.descriptor = Box(descriptor)
    self.peer = peer
    self.loop = loop
    self.form = form
    self.queue = queue
    self.handler = handler
    self.leave = leave
  }

  func start(within deadline: Duration) {
    deadlineTimer = loop.at(loop.now + deadline) { [weak self] _ in self?.end() }
    watch(for: .readable)
  }

  private var deadlineTimer: TimerID?

  /// Ends the connection in whatever state it is.
  func end() {
    if case .ended = state { return }
    if case .handling(let task) = state { task.cancel() }
    if case .waiting = state { queue.leave(self) }
    state = .ended
    if let deadlineTimer { loop.cancel(deadlineTimer) }
    loop.unwatch(descriptor.number)
    // Closed when the last owner of this object lets go, which `leave` brings about.
    leave()
  }

  private func watch(for readiness: Readiness) {
    do throws(SystemCallFailure) {
      try loop.watch(descriptor.number, for: readiness) { [weak self] readiness in self?.ready(readiness) }
    } catch {
      end()
    }
  }

  private func ready(_ readiness: Readiness) {
    switch state {
    case .reading(let bytes): read(bytes)
    // Nothing is read until the reply is ready, so this means that the client has gone.
    case .waiting, .handling: end()
    case .writing(let reply, let sent): write(reply, sent)
    case .ended: break
    }
  }

  private func read(_ before: [UInt8]) {
    var bytes = before
    // One byte more than a request can have, to see that there is more.
    var buffer = [UInt8](repeating: 0, count: max(1, form.maximumRequest + 1 - before.count))
    let count = recv(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0 else { return end() }
    bytes.append(contentsOf: buffer[..<count])
    switch form.parse(bytes) {
    case .incomplete: state = .reading(bytes)
    case .complete(let request): wait(with: request)
    case .refused(let reply): write(reply, 0)
    }
  }

  private func wait(with request: [UInt8]) {
    // Still watched, for nothing: a client that hangs up is always told.
    watch(for: [])
    if case .ended = state { return }
    state = .waiting(request)
    queue.enter(self)
  }

  /// It is its turn.
  func answer() {
    guard case .waiting(let request) = state else { return queue.answered() }
    state = .handling(
      Task { [handler, peer, loop, queue] in
        let body = await handler(request, peer)
        loop.enqueue {
          self.handled(body)
          queue.answered()
        }
      })
  }

  private func handled(_ body: [UInt8]) {
    guard case .handling = state else { return }
    write(form.reply(body), 0)
  }

  private func write(_ reply: [UInt8], _ sent: Int) {
    let count = reply.withUnsafeBytes {
      send(
        descriptor.number, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
    if count < 0 && errno != EAGAIN && errno != EINTR { return end() }
    let now = sent + max(0, count)
    if now == reply.count { return end() }
    state = .writing(reply, now)
    watch(for: .writable)
  }
}
