package import Agent
package import Core

/// ICMP echo probes by raw sockets: one for each binding, with a filter and the kernel's receive time stamps. Raw, as
/// `ping_group_range` refuses even root in a new network namespace.
package final class ICMPProber: ProbePort {
  private let loop: any DescriptorWatcher
  private let sockets = Sockets()

  /// Touched on the loop only.
  private final class Sockets: @unchecked Sendable {
    var byBinding: [BindingKey: ICMPSocket] = [:]
    /// Of whichever socket receives: all do on the loop, one at a time.
    let buffer = ICMPSocket.Buffer()
  }

  private struct BindingKey: Hashable {
    var device: InterfaceName
    var mark: Mark
    var source: IPv4Address
  }

  package init(on loop: any DescriptorWatcher) { self.loop = loop }

  package func open(
    _ probe: Probe, bound: ProbeBinding, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void
  ) -> any OpenProbe {
    loop.checkIsolated()
    guard case .icmp(let target) = probe.kind else {
      return UnsendableProbe(on: loop, "\(probe.name) is no ICMP probe", deliver)
    }
    let key = BindingKey(device: bound.device, mark: bound.mark, source: bound.source)
    let socket = sockets.byBinding[key] ?? ICMPSocket(bound, receivingIn: sockets.buffer, on: loop)
    sockets.byBinding[key] = socket
    socket.users += 1
    return ICMPProbe(target, by: socket, on: loop, deliver) { [sockets] in
      socket.users -= 1
      guard socket.users == 0 else { return }
      socket.close()
      sockets.byBinding[key] = nil
    }
  }
}

/// One ICMP probe on a shared socket. Used on the loop only.
final class ICMPProbe: OpenProbe, @unchecked Sendable {
  private let target: IPv4Address
  private let socket: ICMPSocket
  private let loop: any EventLoop
  private let deliver: @Sendable (UInt64, ProbeOutcome) -> Void
  private var leave: (@Sendable () -> Void)?
  /// Probes that were sent, by number, and their sequence numbers; nil where the send failed. Few.
  private var outstanding: [(number: UInt64, sequence: UInt16?)] = []

  init(
    _ target: IPv4Address, by socket: ICMPSocket, on loop: any EventLoop,
    _ deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void, leave: @escaping @Sendable () -> Void
  ) {
    self.target = target
    self.socket = socket
    self.loop = loop
    self.deliver = deliver
    self.leave = leave
  }

  func send(_ number: UInt64) {
    guard leave != nil else { return }
    do throws(SystemCallFailure) {
      outstanding.append((number, try socket.send(number, of: self, to: target)))
    } catch {
      outstanding.append((number, nil))
      // Not from within `send`: the caller has not noted the probe as sent yet.
      loop.enqueue { [self] in finished(number, .couldNotSend(error.description)) }
    }
  }

  func abandon(_ number: UInt64) {
    if let sequence = take(number)?.sequence { socket.forget(sequence, number) }
  }

  private func take(_ number: UInt64) -> (number: UInt64, sequence: UInt16?)? {
    outstanding.firstIndex { $0.number == number }.map { outstanding.remove(at: $0) }
  }

  func close() {
    while let first = outstanding.first { abandon(first.number) }
    leave?()
    leave = nil
  }

  func finished(_ number: UInt64, _ outcome: ProbeOutcome) {
    guard take(number) != nil else { return }
    deliver(number, outcome)
  }
}
