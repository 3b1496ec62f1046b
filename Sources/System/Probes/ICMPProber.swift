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
    let socket = sockets.byBinding[key] ?? ICMPSocket(bound, on: loop)
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
  /// Probe numbers that were sent, and their sequence numbers; nil where the send failed.
  private var outstanding: [UInt64: UInt16?] = [:]

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
      outstanding[number] = try socket.send(number, of: self, to: target)
    } catch {
      outstanding[number] = .some(nil)
      // Not from within `send`: the caller has not noted the probe as sent yet.
      loop.enqueue { [self] in finished(number, .couldNotSend(error.description)) }
    }
  }

  func abandon(_ number: UInt64) {
    if let sequence = outstanding.removeValue(forKey: number), let sequence { socket.forget(sequence, number) }
  }

  func close() {
    for number in Array(outstanding.keys) { abandon(number) }
    leave?()
    leave = nil
  }

  func finished(_ number: UInt64, _ outcome: ProbeOutcome) {
    guard outstanding.removeValue(forKey: number) != nil else { return }
    deliver(number, outcome)
  }
}
