internal import CLinux
internal import Glibc

/// The signals that a service is sent, taken in by a thread of their own instead of interrupting whatever runs.
package enum ServiceSignal: CaseIterable, Sendable {
  /// SIGTERM, SIGINT: end, and leave the data plane as it is.
  case stop
  /// SIGHUP, SIGUSR1: ask the source for the rule set now.
  case pullNow

  fileprivate var numbers: [Int32] {
    switch self {
    case .stop: [SIGTERM, SIGINT]
    case .pullNow: [SIGHUP, SIGUSR1]
    }
  }
}

package enum SignalWatch {
  /// Must be called before any other thread is started: threads inherit the mask. SIGPIPE is ignored; a closed socket is
  /// told by its error.
  package static func start(_ handler: @escaping @Sendable (ServiceSignal) -> Void) throws(SystemCallFailure) {
    signal(SIGPIPE, SIG_IGN)
    var set = sigset_t()
    sigemptyset(&set)
    for number in ServiceSignal.allCases.flatMap(\.numbers) { sigaddset(&set, number) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    let waited = set
    try SystemThread.start(name: "signals") { @Sendable in
      while true {
        var set = waited
        var number: Int32 = 0
        guard sigwait(&set, &number) == 0 else { continue }
        if let known = ServiceSignal.allCases.first(where: { $0.numbers.contains(number) }) { handler(known) }
      }
    }
  }
}
