package import Core
internal import Glibc
internal import RuleSets

/// Asks each nameserver of resolv.conf one question, at once and by UDP, as the C library would first.
package enum NameserverCheck {
  static let file = "/etc/resolv.conf"
  /// One that takes longer makes everything on the router wait.
  static let patience: Duration = .seconds(2)

  /// - Parameter name: what to ask for; empty: the root.
  package static func ask(for name: String) throws(SystemCallFailure) -> [Nameserver] {
    let text: String
    do throws(SystemCallFailure) {
      text = String(decoding: try BoundedFile.read(file, atMost: 64 << 10), as: UTF8.self)
    } catch {
      guard error.errno == ENOENT else { throw error }
      return []
    }
    return ResolverQuestion.nameservers(text).map { Nameserver(address: $0, answer: answer(of: $0, name)) }
  }

  static func answer(of server: String, _ name: String) -> Nameserver.Answer {
    let question = ResolverQuestion(number: .random(in: 0 ... .max), name: name)
    guard let bytes = question.bytes else { return .silent("\(quoted(name)) is not a name") }
    do throws(SystemCallFailure) {
      let socket = try connected(to: server)
      guard send(socket.number, bytes, bytes.count, 0) == bytes.count else {
        throw SystemCallFailure.last("send to \(server)")
      }
      return try receive(socket, question, from: server)
    } catch {
      return .silent("\(error)")
    }
  }

  /// Connected, so that an ICMP refusal is reported and nobody else's answer is accepted.
  private static func connected(to server: String) throws(SystemCallFailure) -> FileDescriptor {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(server, "53", &hints, &found) == 0, let address = found?.pointee else {
      throw SystemCallFailure("ask \(quoted(server))", cause: "it is not an address")
    }
    defer { freeaddrinfo(found) }
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = try FileDescriptor.adopting(Glibc.socket(address.ai_family, type, 0), "open a UDP socket")
    guard connect(socket.number, address.ai_addr, address.ai_addrlen) == 0 else {
      throw SystemCallFailure.last("reach \(server)")
    }
    return socket
  }

  private static func receive(
    _ socket: borrowing FileDescriptor, _ question: ResolverQuestion, from server: String
  ) throws(SystemCallFailure) -> Nameserver.Answer {
    let deadline = MonotonicClock.now + patience
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let left = deadline - MonotonicClock.now
      guard left > .zero else { return .silent("no answer within \(patience.inSeconds) s") }
      var waiting = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
      let ready = poll(&waiting, 1, Int32(left.milliseconds.rounded(.up)))
      if ready < 0 && errno != EINTR { throw SystemCallFailure.last("wait for \(server)") }
      guard ready > 0 else { continue }
      let count = recv(socket.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0 {
        if errno == EAGAIN || errno == EINTR { continue }
        throw SystemCallFailure.last("ask \(server)")
      }
      if let answer = question.answer(Array(buffer[..<count])) { return answer }
    }
  }
}
