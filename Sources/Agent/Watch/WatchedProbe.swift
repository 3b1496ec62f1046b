internal import Core

/// One probe with its machine and its handle. Confined to `PathWatch`, which is what makes it Sendable: its handle holds it,
/// until it is closed, so that nothing is looked up by name for each probe.
final class WatchedProbe: @unchecked Sendable {
  var machine: ProbeMachine
  /// Its place among those that are due at one time.
  let order: Int
  /// Nil while there is no address to send from.
  private(set) var binding: ProbeBinding?
  var handle: (any OpenProbe)?
  /// In the schedule, which alone sets it; nil: it has no turn.
  var place: Int?
  /// Of its path.
  var history: WatchedHistory?

  init(_ machine: ProbeMachine, order: Int) {
    self.machine = machine
    self.order = order
  }

  /// Opens the probe's handle where its binding is new; the history stays.
  func bind(to new: ProbeBinding?, by port: any ProbePort, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void)
  {
    guard new != binding || handle == nil else { return }
    handle?.close()
    machine.socketChanged()
    binding = new
    handle = new.map { port.open(machine.probe, bound: $0, deliver: deliver) }
  }

  func close() {
    handle?.close()
    handle = nil
  }
}

/// A path's history, which its probes write together.
final class WatchedHistory {
  var past: PathHistory
  init(_ past: PathHistory) { self.past = past }
}
