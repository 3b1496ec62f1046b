package import Agent
package import Core
package import RuleSets

/// ICMP echo probes over raw sockets, one for each binding, with a filter and the kernel's receive timestamps. They are
/// raw because `ping_group_range` refuses even root in a new network namespace.
package final class ICMPProber: ProbePort {
  private let loop: any DescriptorWatcher
  private let sockets = Sockets()

  /// Touched on the loop only.
  fileprivate final class Sockets: @unchecked Sendable {
    var byBinding: [ProbeBinding: ICMPSocket] = [:]
    let shared = ICMPSocket.Shared()

    func leave(_ socket: ICMPSocket) {
      socket.users -= 1
      guard socket.users == 0 else { return }
      socket.close()
      byBinding[socket.binding] = nil
    }
  }

  package init(on loop: any DescriptorWatcher) { self.loop = loop }

  /// Probes of one binding share a socket, which closes with the last of them.
  package func open(
    _ probe: Probe, bound: ProbeBinding, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void
  ) -> any OpenProbe {
    loop.checkIsolated()
    guard case .icmp(let target) = probe.kind else {
      return UnsendableProbe(on: loop, "\(probe.name) is not an ICMP probe", deliver)
    }
    let socket = sockets.byBinding[bound] ?? ICMPSocket(bound, sharing: sockets.shared, on: loop)
    sockets.byBinding[bound] = socket
    socket.users += 1
    return ICMPProbe(target, by: socket, of: sockets, on: loop, deliver)
  }
}

/// One ICMP probe on a shared socket. Used on the loop only.
final class ICMPProbe: OpenProbe, @unchecked Sendable {
  let target: IPv4Address
  private let socket: ICMPSocket
  private let loop: any EventLoop
  private let deliver: @Sendable (UInt64, ProbeOutcome) -> Void
  /// The sockets that this probe's belongs to; nil once the probe is closed.
  private var sockets: ICMPProber.Sockets?
  /// Probes that could not be sent, and whose outcome has not been delivered yet.
  private var unsent: [UInt64] = []

  fileprivate init(
    _ target: IPv4Address, by socket: ICMPSocket, of sockets: ICMPProber.Sockets, on loop: any EventLoop,
    _ deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void
  ) {
    self.target = target
    self.socket = socket
    self.sockets = sockets
    self.loop = loop
    self.deliver = deliver
  }

  /// All its packets have one identifier, so the kernel sees one connection, which lives as long as they keep coming.
  var flow: TrackedFlow? { TrackedFlow(.icmp(identifier: socket.identifier), from: socket.binding.source, to: target) }

  func send(_ number: UInt64) {
    guard sockets != nil else { return }
    do throws(SystemCallFailure) { try socket.send(number, of: self) } catch {
      unsent.append(number)
      // Not from within `send`: the caller has not noted the probe as sent yet.
      loop.enqueue { [self] in
        guard unsent.contains(number) else { return }
        unsent.removeAll { $0 == number }
        deliver(number, .couldNotSend(error.description))
      }
    }
  }

  func abandon(_ number: UInt64) {
    socket.forget(number, of: self)
    unsent.removeAll { $0 == number }
  }

  func close() {
    socket.forget(nil, of: self)
    unsent = []
    sockets?.leave(socket)
    sockets = nil
  }

  /// The socket no longer waits for it.
  func finished(_ number: UInt64, _ outcome: ProbeOutcome) { deliver(number, outcome) }
}
