package import Agent
package import Core
internal import Glibc
package import RuleSets
package import Transfer

/// HTTP and HTTPS probes through libcurl: each on a connection of its own, to an address, bound to the path.
package final class HTTPProber: ProbePort {
  /// How much of a body is read. The rule set's documentation gives this bound for `expect_body`.
  package static let bodyBytes = 64 << 10

  private let loop: any EventLoop
  private let engine: TransferEngine
  private let authorityFile: String?

  /// `authorityFile`: trusted for HTTPS instead of the system's authorities.
  package init(on loop: any EventLoop, by engine: TransferEngine, authorityFile: String? = nil) {
    self.loop = loop
    self.engine = engine
    self.authorityFile = authorityFile
  }

  /// Connects nowhere yet: each probe sent makes a connection of its own.
  package func open(
    _ probe: Probe, bound: ProbeBinding, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void
  ) -> any OpenProbe {
    loop.checkIsolated()
    engine.prepare()
    guard case .http(let check) = probe.kind else {
      return UnsendableProbe(on: loop, "\(probe.name) is not an HTTP probe", deliver)
    }
    var request = TransferRequest(
      url: Self.url(of: check), timeout: probe.timeout, maximumBytes: Self.bodyBytes)
    request.excess = .isCut
    request.connectAddress = check.address.description
    request.headers = ["User-Agent: backhaul", "Accept: */*"]
    request.binding = TransferBinding(
      device: bound.device.text, mark: bound.mark.value, source: bound.source.value)
    request.authorityFile = authorityFile
    return HTTPProbe(check, request, on: loop, by: engine, deliver)
  }

  /// The host's name stands in the URL, which gives Host header, SNI and the name that the certificate must have.
  private static func url(of check: HTTPCheck) -> String {
    "\(check.scheme.rawValue)://\(check.hostName ?? check.address.description):\(check.port)\(check.target)"
  }
}

/// One HTTP probe. Used on the loop only.
private final class HTTPProbe: OpenProbe, @unchecked Sendable {
  private let check: HTTPCheck
  private let request: TransferRequest
  private let loop: any EventLoop
  private let engine: TransferEngine
  private let deliver: @Sendable (UInt64, ProbeOutcome) -> Void
  private var outstanding: [UInt64: TransferEngine.Ticket] = [:]

  init(
    _ check: HTTPCheck, _ request: TransferRequest, on loop: any EventLoop,
    by engine: TransferEngine, _ deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void
  ) {
    self.check = check
    self.request = request
    self.loop = loop
    self.engine = engine
    self.deliver = deliver
  }

  func send(_ number: UInt64) {
    outstanding[number] = engine.start(request) { [self] result in
      loop.enqueue { self.finished(number, result) }
    }
  }

  func abandon(_ number: UInt64) {
    if let ticket = outstanding.removeValue(forKey: number) { engine.cancel(ticket) }
  }

  func close() {
    for number in Array(outstanding.keys) { abandon(number) }
  }

  private func finished(_ number: UInt64, _ result: Result<TransferResponse, TransferFailure>) {
    guard outstanding.removeValue(forKey: number) != nil else { return }
    let outcome =
      switch result {
      case .success(let response): judged(response)
      case .failure(let failure): outcome(of: failure)
      }
    if let outcome { deliver(number, outcome) }
  }

  private func judged(_ response: TransferResponse) -> ProbeOutcome {
    guard check.statuses.contains(response.status) else { return .refused("status \(response.status)") }
    if let text = check.bodyText, !contains(response.body, text) {
      return .refused("status \(response.status), but the body does not hold the expected text")
    }
    return .answered(roundTrip: response.duration)
  }

  /// Nil is silence: nobody said anything, in time or at all.
  private func outcome(of failure: TransferFailure) -> ProbeOutcome? {
    switch failure {
    case .timedOut, .tooSlow, .cancelled: nil
    case .notBound, .notStarted, .unusableFile, .unresolved: .couldNotSend(failure.description)
    case .notConnected(let errno, _):
      isLocal(errno) ? .couldNotSend(failure.description) : .refused(failure.description)
    case .insecure, .bodyTooLarge, .headersTooLarge, .cutOff, .malformed: .refused(failure.description)
    }
  }

  /// Whether connect failed before a packet left.
  private func isLocal(_ error: Int32) -> Bool {
    switch error {
    case ENETUNREACH, ENETDOWN, EADDRNOTAVAIL, EADDRINUSE, ENODEV, ENXIO, ENOBUFS, ENOMEM, EPERM, EACCES, EINVAL: true
    // EHOSTUNREACH is a router's word, or says that the next hop does not answer: a bound socket asks no route that
    // could refuse it.
    default: false
    }
  }
}

/// Whether the bytes of `text` stand somewhere in `body`. 64 KiB by a short text: a plain search is fast enough.
private func contains(_ body: [UInt8], _ text: String) -> Bool {
  let wanted = Array(text.utf8)
  guard let first = wanted.first else { return true }
  guard wanted.count <= body.count else { return false }
  return (0...(body.count - wanted.count)).contains { start in
    body[start] == first && body[start..<(start + wanted.count)].elementsEqual(wanted)
  }
}
