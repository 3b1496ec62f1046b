package import Agent
package import Core
internal import Glibc
package import RuleSets

/// Asks the resolver at 127.0.0.1, on a thread of its own while questions are under way.
package struct LinuxResolver: ResolverPort {
  /// dnsmasq gives an upstream server longer, and then knows the answer when it is asked again.
  private static let patience: Duration = .seconds(3)

  private let port: UInt16

  /// - Parameter port: another than 53 for tests.
  package init(port: UInt16 = 53) { self.port = port }

  package func ask(_ domains: [DomainName]) async throws(KernelFailure) -> [DomainName: DomainQuestion.Answer] {
    try await withCheckedContinuation {
      (done: CheckedContinuation<Result<[DomainName: DomainQuestion.Answer], KernelFailure>, Never>) in
      do throws(SystemCallFailure) {
        try SystemThread.start(name: "resolver") { done.resume(returning: answers(domains)) }
      } catch {
        done.resume(returning: .failure(Self.failure(error)))
      }
    }.get()
  }

  private static func failure(_ failure: SystemCallFailure) -> KernelFailure {
    KernelFailure(operation: failure.operation, errno: failure.errno, cause: failure.cause)
  }

  private func answers(_ domains: [DomainName]) -> Result<[DomainName: DomainQuestion.Answer], KernelFailure> {
    do throws(SystemCallFailure) {
      let socket = try connected()
      var open: [UInt16: DomainQuestion] = [:]
      for domain in domains {
        var number = UInt16.random(in: 0 ... .max)
        while open[number] != nil { number &+= 1 }
        let question = DomainQuestion(number: number, domain: domain)
        let bytes = question.bytes
        guard send(socket.number, bytes, bytes.count, 0) == bytes.count else {
          throw SystemCallFailure.last("send to 127.0.0.1")
        }
        open[number] = question
      }
      return .success(try receive(socket, &open))
    } catch {
      return .failure(Self.failure(error))
    }
  }

  /// Connected, so that a refusal is reported and nobody else's answer is accepted.
  private func connected() throws(SystemCallFailure) -> FileDescriptor {
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = try FileDescriptor.adopting(Glibc.socket(AF_INET, type, 0), "open a UDP socket")
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let status = withUnsafeBytes(of: &address) { bytes in
      bytes.withMemoryRebound(to: sockaddr.self) { connect(socket.number, $0.baseAddress, socklen_t(bytes.count)) }
    }
    guard status == 0 else { throw SystemCallFailure.last("reach 127.0.0.1") }
    return socket
  }

  private func receive(
    _ socket: borrowing FileDescriptor, _ open: inout [UInt16: DomainQuestion]
  ) throws(SystemCallFailure) -> [DomainName: DomainQuestion.Answer] {
    let deadline = MonotonicClock.now + Self.patience
    var answers: [DomainName: DomainQuestion.Answer] = [:]
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !open.isEmpty {
      let left = deadline - MonotonicClock.now
      guard left > .zero else { break }
      var waiting = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
      let ready = poll(&waiting, 1, Int32(left.milliseconds.rounded(.up)))
      if ready < 0 && errno != EINTR { throw SystemCallFailure.last("wait for 127.0.0.1") }
      guard ready > 0 else { continue }
      let count = recv(socket.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0 {
        if errno == EAGAIN || errno == EINTR { continue }
        // One refused question says nothing of those that were answered.
        if answers.isEmpty { throw SystemCallFailure.last("ask 127.0.0.1") }
        break
      }
      guard count >= 2, let question = open[UInt16(buffer[0]) << 8 | UInt16(buffer[1])],
        let answer = question.answer(Array(buffer[..<count]))
      else { continue }
      open[question.number] = nil
      answers[question.domain] = answer
    }
    return answers
  }
}
