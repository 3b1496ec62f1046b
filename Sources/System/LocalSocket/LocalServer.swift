internal import CLinux
internal import Core
internal import Glibc
internal import RuleSets

/// Who is at the other end of the socket, according to the kernel (SO_PEERCRED).
package struct PeerCredentials: Equatable, Sendable {
  package var process: Int32
  package var user: UInt32
  package var group: UInt32

  package init(process: Int32, user: UInt32, group: UInt32) {
    self.process = process
    self.user = user
    self.group = group
  }
}

/// Serves the CLI and metrics scrapers, one request and one reply per connection, on a loop of its own, away from
/// probes and flips. Every client has a deadline, a size limit, one of a bounded number of places and its turn, so that
/// no client can harm another or the agent.
package final class LocalServer: Sendable {
  /// Makes the reply's body from the request's. Runs in a task, cancelled where the client hangs up or its deadline
  /// passes.
  package typealias Handler = @Sendable (_ request: [UInt8], _ peer: PeerCredentials) async -> [UInt8]

  /// How much of the server one client, one user and all clients together can have.
  package struct Limits: Sendable {
    /// Clients at one time. Further clients are told that the server is busy.
    package var clients = 64
    /// How many of those places are kept for root, so that root gets in even where the group's members are many or
    /// hostile.
    package var keptForRoot = 8
    /// How many places any one user but root can have, so that a hostile user leaves room for the others.
    package var ofOneUser = 16
    /// How many requests are worked on at once; the others wait, and users take turns.
    package var answersAtOnce = 2
    /// From accept to the last byte of the reply.
    package var deadline: Duration = .seconds(5)
    package init() {}

    /// Whether `user` gets a place besides the users that have one.
    package func admits(_ user: UInt32, beside users: [UInt32]) -> Bool {
      if user == 0 { return users.count < clients }
      return users.count < clients - keptForRoot && users.count(where: { $0 == user }) < ofOneUser
    }
  }

  private let loop: Reactor
  private let local: Local

  /// Touched on the loop only.
  private final class Local: @unchecked Sendable {
    var listener: (any StreamListener)?
    var clients: [UInt64: LocalConnection] = [:]
    var lastClient: UInt64 = 0
    let handler: Handler
    let form: StreamForm
    let limits: Limits
    let queue: LocalQueue

    init(_ listener: any StreamListener, _ form: StreamForm, _ limits: Limits, _ handler: @escaping Handler) {
      self.listener = listener
      self.form = form
      self.limits = limits
      self.handler = handler
      queue = LocalQueue(atOnce: limits.answersAtOnce)
    }
  }

  /// Listens from here on until `stop`.
  package convenience init(
    at path: String, group: UInt32? = nil, limits: Limits = Limits(), _ handler: @escaping Handler
  ) throws(SystemCallFailure) {
    try self.init(
      UnixListener(path, group: group), .frames, limits: limits, loop: Reactor(name: "local-socket"), handler)
  }

  /// Listens from here on until `stop`. The loop is the server's own.
  init(
    _ listener: any StreamListener, _ form: StreamForm, limits: Limits, loop: Reactor, _ handler: @escaping Handler
  ) {
    local = Local(listener, form, limits, handler)
    self.loop = loop
    loop.enqueue { [self] in listen() }
  }

  /// Closes the socket and every connection, and removes its file.
  package func stop() {
    loop.enqueue { [self] in
      for client in local.clients.values { client.end() }
      local.clients = [:]
      if let listener = local.listener { loop.unwatch(listener.number) }
      local.listener = nil
      loop.stop()
    }
  }

  // MARK: On the loop

  private func listen() {
    guard let listener = local.listener else { return }
    do throws(SystemCallFailure) {
      try loop.watch(listener.number, for: .readable) { [self] _ in accept() }
    } catch {
      pause()
    }
  }

  /// No descriptor or no memory left: the connection stays in the queue and would wake us without end.
  private func pause() {
    if let listener = local.listener { loop.unwatch(listener.number) }
    _ = loop.at(loop.now + .milliseconds(100)) { [self] _ in listen() }
  }

  private func accept() {
    guard let listener = local.listener else { return }
    // As many as the server has places for; the others are accepted in the next turn.
    for _ in 0..<local.limits.clients {
      let number = linux_accept(listener.number)
      if number < 0 {
        if ![EAGAIN, EINTR, ECONNABORTED].contains(errno) { pause() }
        return
      }
      do throws(SystemCallFailure) {
        admit(try FileDescriptor.adopting(number, "accept"))
      } catch {
        return
      }
    }
  }

  private func admit(_ descriptor: consuming FileDescriptor) {
    var peer = PeerCredentials(process: 0, user: 0, group: 0)
    guard linux_peer_credentials(descriptor.number, &peer.process, &peer.user, &peer.group) == 0 else { return }
    guard local.limits.admits(peer.user, beside: local.clients.values.map(\.peer.user)) else {
      let busy = local.form.busy(local.clients.count)
      // It fits in the empty socket buffer, so this never blocks; a client that does not read it misses it.
      _ = send(descriptor.number, busy, busy.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      return
    }
    local.lastClient += 1
    let number = local.lastClient
    let client = LocalConnection(descriptor, peer, on: loop, local.form, local.queue, local.handler) { [local] in
      local.clients[number] = nil
    }
    local.clients[number] = client
    client.start(within: local.limits.deadline)
  }
}
