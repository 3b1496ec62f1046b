internal import Core

/// One probe with its machine, its handle and its timer. Confined to `PathWatch`, which is what makes it Sendable: its
/// timer and its handle hold it, until it is closed, so that nothing is looked up by name for each probe.
final class WatchedProbe: @unchecked Sendable {
  var machine: ProbeMachine
  /// Nil while there is no address to send from.
  private(set) var binding: ProbeBinding?
  var handle: (any OpenProbe)?
  var timer: TimerID?

  init(_ machine: ProbeMachine) { self.machine = machine }

  /// Opens the probe's handle where its binding is new; the history stays.
  func bind(to new: ProbeBinding?, by port: any ProbePort, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void)
  {
    guard new != binding || handle == nil else { return }
    handle?.close()
    machine.socketChanged()
    binding = new
    handle = new.map { port.open(machine.probe, bound: $0, deliver: deliver) }
  }

  func close(on loop: any EventLoop) {
    handle?.close()
    handle = nil
    if let timer { loop.cancel(timer) }
    timer = nil
  }
}
