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
      let socket = try NameserverSocket(to: server)
      try socket.send(bytes)
      let deadline = MonotonicClock.now + patience
      while let datagram = try socket.receive(until: deadline) {
        if let answer = question.answer(datagram) { return answer }
      }
      return .silent("no answer within \(patience.inSeconds) s")
    } catch {
      return .silent("\(error)")
    }
  }
}
