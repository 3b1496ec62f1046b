internal import Glibc

/// What a signal asks the service to do. One thread takes all signals, so that none interrupts what is running.
package enum ServiceSignal: CaseIterable, Sendable {
  /// SIGTERM, SIGINT: exit, and leave the data plane as it is.
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

/// Waits for signals with sigwait(3) instead of handling them.
package enum SignalWatch {
  /// Blocks the signals. Must be called on the main thread before any other is started: threads inherit the mask, and a
  /// signal goes to any thread that does not block it. SIGPIPE is ignored, since a closed socket also shows as an
  /// error.
  package static func block() {
    signal(SIGPIPE, SIG_IGN)
    var set = all
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits on this thread for the next signal.
  package static func next() -> ServiceSignal {
    var set = all
    while true {
      var number: Int32 = 0
      guard sigwait(&set, &number) == 0 else { continue }
      if let known = ServiceSignal.allCases.first(where: { $0.numbers.contains(number) }) { return known }
    }
  }

  private static var all: sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in ServiceSignal.allCases.flatMap(\.numbers) { sigaddset(&set, number) }
    return set
  }
}
