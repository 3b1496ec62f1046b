internal import Agent
internal import CLinux
internal import Core
internal import Glibc
internal import RuleSets

/// The raw socket that all ICMP probes of one binding share: N sockets on one device would each get every answer.
///
/// Used on the loop's thread only, which is what makes it Sendable. It is opened at the first send and again whenever a
/// send says that its device or address is another one by now.
final class ICMPSocket: @unchecked Sendable {
  /// A probe that was sent and not answered yet.
  struct Waiting {
    var sequence: UInt16
    var probe: ICMPProbe
    var number: UInt64
    var nonce: UInt64
    var sent: RoundTrip
  }

  /// More is not read in one turn of the loop, so that a flood of answers cannot keep timers waiting.
  private static let packetsPerTurn = 64
  /// Answers to our requests have 84 bytes; an error may quote more, but never more than 576 (RFC 1812 section 4.3.2.3).
  private static let packetBytes = 1024

  /// What one socket after the other uses. Touched on the loop only.
  final class Shared: @unchecked Sendable {
    /// A packet is received in it.
    fileprivate var buffer = [UInt8](repeating: 0, count: ICMPSocket.packetBytes)
    fileprivate var nonces = Nonces()

    fileprivate func message(_ length: Int) -> ICMPMessage? {
      let buffer = buffer
      return ICMPMessage.parse(buffer.span.extracting(0..<length))
    }
  }

  let binding: ProbeBinding
  /// How many open probes share it.
  var users = 0
  private let loop: any DescriptorWatcher
  let identifier = UInt16.random(in: 1 ... .max)
  private var nextSequence = UInt16.random(in: 0 ... .max)
  /// Oldest first. Each is given up at the end of its timeout, so they are few: a list is smaller than a table, and as
  /// fast.
  private var waiting: [Waiting] = []
  private var handle: Handle?
  private let shared: Shared

  private final class Handle {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  }

  init(_ binding: ProbeBinding, sharing shared: Shared, on loop: any DescriptorWatcher) {
    self.binding = binding
    self.shared = shared
    self.loop = loop
  }

  /// Sends an echo request.
  func send(_ number: UInt64, of probe: ICMPProbe) throws(SystemCallFailure) {
    nextSequence &+= 1
    let sequence = nextSequence
    let nonce = shared.nonces.next()
    let request = ICMPRequest.encode(identifier: identifier, sequence: sequence, nonce: nonce)
    let sent: RoundTrip
    do throws(SystemCallFailure) {
      sent = try transmit(request, to: probe.target)
    } catch {
      guard Self.tellsOfStaleBinding(error.errno) else { throw error }
      // Its device was recreated or its address moved: once more with a new socket.
      close()
      sent = try transmit(request, to: probe.target)
    }
    waiting.append(Waiting(sequence: sequence, probe: probe, number: number, nonce: nonce, sent: sent))
  }

  /// - Parameter number: nil: all of the probe's.
  func forget(_ number: UInt64?, of probe: ICMPProbe) {
    waiting.removeAll { $0.probe === probe && (number == nil || $0.number == number) }
  }

  func close() {
    guard let handle else { return }
    loop.unwatch(handle.descriptor.number)
    self.handle = nil
  }

  /// A device that is gone or down gives ENODEV, ENXIO or ENETUNREACH, a source address that is gone EINVAL
  /// (ip_route_output_key, net/ipv4/route.c).
  private static func tellsOfStaleBinding(_ errno: Int32) -> Bool {
    [ENODEV, ENXIO, ENETUNREACH, ENETDOWN, EADDRNOTAVAIL, EINVAL].contains(errno)
  }

  /// When it was sent, the opening of the socket left out.
  private func transmit(_ request: [UInt8], to target: IPv4Address) throws(SystemCallFailure) -> RoundTrip {
    let descriptor = try opened().descriptor.number
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = target.value.bigEndian
    let trip = RoundTrip.starting()
    let sent = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(
          descriptor, request, request.count, Int32(MSG_DONTWAIT), $0,
          socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard sent == request.count else { throw SystemCallFailure.last("send to \(target) by \(binding.device)") }
    return trip
  }

  private func opened() throws(SystemCallFailure) -> Handle {
    if let handle { return handle }
    let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = try FileDescriptor.adopting(socket(AF_INET, type, Int32(IPPROTO_ICMP)), "open a raw ICMP socket")
    guard linux_icmp_prepare(descriptor.number, identifier) == 0 else {
      throw SystemCallFailure.last("set an ICMP filter")
    }
    try bindToPath(descriptor.number, binding)
    let number = descriptor.number
    let opened = Handle(descriptor)
    // The kernel stamps an answer when it comes, whenever it is read.
    try loop.watch(number, for: .readable, .aWhile) { [weak self] _ in self?.receive() }
    handle = opened
    return opened
  }

  private func receive() {
    for _ in 0..<Self.packetsPerTurn {
      guard let handle else { return }
      var stamp: Int64 = 0
      let length = shared.buffer.withUnsafeMutableBytes {
        linux_receive_stamped(handle.descriptor.number, $0.baseAddress, $0.count, &stamp)
      }
      guard length >= 0 else {
        // Anything but "nothing there" would return at once, turn after turn: the next send reopens it.
        if errno != EAGAIN && errno != EINTR { close() }
        return
      }
      guard let message = shared.message(length) else { continue }
      received(message, stamp: stamp)
      // Nothing else is expected: what comes unasked is read in the next turn, and no call is made to find nothing.
      if waiting.isEmpty { return }
    }
  }

  private func received(_ message: ICMPMessage, stamp: Int64) {
    switch message {
    case .echoReply(let source, let echo):
      guard let probe = take(echo, to: source, mayLackNonce: false) else { return }
      let trip = probe.sent.duration(
        stamp: stamp, wall: WallClock.nanoseconds, monotonic: MonotonicClock.now.nanoseconds)
      probe.probe.finished(probe.number, .answered(roundTrip: trip))
    // Our own kernel says "host unreachable" some seconds after nobody on the link answered for the next hop: that is
    // silence, and it was counted by then.
    case .error(let source, _, _, _) where source == binding.source: return
    case .error(let source, let trouble, let target, let echo):
      guard let probe = take(echo, to: target, mayLackNonce: true) else { return }
      probe.probe.finished(probe.number, .refused("\(trouble), says \(source)"))
    }
  }

  /// The probe that this answers, if it is ours in every point.
  private func take(_ echo: ICMPEcho, to target: IPv4Address, mayLackNonce: Bool) -> Waiting? {
    guard echo.identifier == identifier,
      let place = waiting.firstIndex(where: { $0.sequence == echo.sequence && $0.probe.target == target }),
      echo.nonce == waiting[place].nonce || (mayLackNonce && echo.nonce == nil)
    else { return nil }
    return waiting.remove(at: place)
  }
}

/// Binds a socket to all three: device, mark and source address.
func bindToPath(_ descriptor: Int32, _ binding: ProbeBinding) throws(SystemCallFailure) {
  switch Int(
    linux_bind_to_path(
      descriptor, binding.device.text, binding.mark.value, binding.source.value.bigEndian))
  {
  case LINUX_PATH_BOUND: return
  case LINUX_PATH_MARK: throw SystemCallFailure.last("set mark \(binding.mark)")
  case LINUX_PATH_DEVICE: throw SystemCallFailure.last("bind to device \(binding.device)")
  default: throw SystemCallFailure.last("bind to address \(binding.source)")
  }
}
