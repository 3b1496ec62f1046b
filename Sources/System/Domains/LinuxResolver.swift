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
      let socket = try NameserverSocket(to: "127.0.0.1", port: port)
      var open: [UInt16: DomainQuestion] = [:]
      for domain in domains {
        var number = UInt16.random(in: 0 ... .max)
        while open[number] != nil { number &+= 1 }
        let question = DomainQuestion(number: number, domain: domain)
        try socket.send(question.bytes)
        open[number] = question
      }
      return .success(try receive(socket, &open))
    } catch {
      return .failure(Self.failure(error))
    }
  }

  private func receive(
    _ socket: borrowing NameserverSocket, _ open: inout [UInt16: DomainQuestion]
  ) throws(SystemCallFailure) -> [DomainName: DomainQuestion.Answer] {
    let deadline = MonotonicClock.now + Self.patience
    var answers: [DomainName: DomainQuestion.Answer] = [:]
    while !open.isEmpty {
      let datagram: [UInt8]?
      do throws(SystemCallFailure) { datagram = try socket.receive(until: deadline) } catch {
        // One refused question says nothing of those that were answered.
        if answers.isEmpty { throw error }
        break
      }
      guard let datagram else { break }
      guard datagram.count >= 2, let question = open[UInt16(datagram[0]) << 8 | UInt16(datagram[1])],
        let answer = question.answer(datagram)
      else { continue }
      open[question.number] = nil
      answers[question.domain] = answer
    }
    return answers
  }
}
