/// One connection to charon, used by one thread at a time. Each call waits for its answer until its timeout, which
/// covers the whole call.
///
/// VICI numbers neither requests nor answers. After a failure that `breaksSession`, an answer may still arrive and
/// would be mistaken for the next request's, so every later call throws at once: open another session.
package struct VICISession: ~Copyable, Sendable {
  package let socketPath: String
  private let socket: VICISocket
  private var frames = VICIFrames()
  private var events = VICIEventQueue()
  private var registered: [String] = []
  package private(set) var isBroken = false

  /// Events were dropped because `nextEvent` was not asked for them in time. The owner reads again what they would have
  /// said, and resets this.
  package var overflowed = false

  private init(_ socket: consuming VICISocket, at path: String) {
    self.socket = socket
    socketPath = path
  }

  /// - Parameter socketPath: charon's socket, as a path or as strongswan.conf writes it (`unix:///run/charon.vici`).
  package static func open(socketPath: String, timeout: Duration) throws(VICIFailure) -> VICISession {
    let scheme = "unix://"
    let path = socketPath.hasPrefix(scheme) ? String(socketPath.dropFirst(scheme.count)) : socketPath
    do throws(VICIFailure) {
      // "tcp://…" and relative paths: no charon listens there for us.
      guard path.hasPrefix("/") else { throw VICIFailure(.unusableAddress) }
      return VICISession(try VICISocket.connect(to: path, by: VICIDeadline(after: timeout)), at: path)
    } catch { throw error.asked("vici connect", of: path) }
  }

  /// Readable when an event or the end of the stream is waiting. What arrived during another call has already left the
  /// socket, so call `nextEvent` until it returns nil after each call too, not only when this is readable.
  package var descriptor: Int32 { socket.descriptor }

  /// Sends one command and returns its answer. Throws `refused`, with charon's words, where the answer says `success =
  /// no`.
  package mutating func request(
    _ command: String, _ message: VICIMessage = VICIMessage(), timeout: Duration
  ) throws(VICIFailure) -> VICIMessage {
    try run(command, message, by: VICIDeadline(after: timeout), streaming: nil) { _ in }
  }

  /// For the commands that answer with a series of events (`list-sas` with `list-sa`): registers for those, runs the
  /// command and unregisters. `each` gets the events in order; the return value is the answer that ends them.
  package mutating func stream(
    _ command: String, event: String, _ message: VICIMessage = VICIMessage(), timeout: Duration,
    each: (VICIMessage) -> Void
  ) throws(VICIFailure) -> VICIMessage {
    let deadline = VICIDeadline(after: timeout)
    // A registration that was there before stays.
    let isOurs = !registered.contains(event)
    if isOurs, try !register(event, by: deadline) { throw failure(.unknownEvent(event), "vici \(command)") }
    let answer: Result<VICIMessage, VICIFailure>
    do throws(VICIFailure) {
      answer = .success(try run(command, message, by: deadline, streaming: event, each))
    } catch { answer = .failure(error) }
    if isOurs, !isBroken { try unregister(event, by: deadline) }
    return try answer.get()
  }

  /// From now on events of this name come to `nextEvent`. Returns false if charon has no such event.
  package mutating func register(_ event: String, timeout: Duration) throws(VICIFailure) -> Bool {
    try register(event, by: VICIDeadline(after: timeout))
  }

  /// Unregisters for events of this name. Those that have arrived already still come to `nextEvent`.
  package mutating func unregister(_ event: String, timeout: Duration) throws(VICIFailure) {
    try unregister(event, by: VICIDeadline(after: timeout))
  }

  /// The next event that has arrived, without waiting; nil if none is complete.
  package mutating func nextEvent() throws(VICIFailure) -> (name: String, message: VICIMessage)? {
    let operation = "vici events"
    guard !isBroken else { throw failure(.broken, operation) }
    do throws(VICIFailure) {
      while events.isEmpty {
        if let stray = try sortFrames() { throw VICIFailure(.unexpected(packet: stray.kind.name)) }
        guard events.isEmpty, let bytes = try socket.receive() else { break }
        frames.append(bytes)
      }
    } catch { throw broke(error, operation) }
    return events.removeFirst()
  }
}

extension VICISession {
  private mutating func run(
    _ command: String, _ message: VICIMessage, by deadline: VICIDeadline, streaming event: String?,
    _ each: (VICIMessage) -> Void
  ) throws(VICIFailure) -> VICIMessage {
    let operation = "vici \(command)"
    let answer = try ask(.request(command: command, message), operation, by: deadline, streaming: event, each)
    switch answer {
    case .response(let message):
      // Commands that only list things answer without `success`.
      guard let success = message.text("success"), success != "yes" else { return message }
      throw failure(.refused(VICIName.printable(message.text("errmsg") ?? "")), operation)
    case .commandUnknown: throw failure(.unknownCommand, operation)
    case .confirmed, .eventUnknown, .event, .request, .register, .unregister: throw unexpected(answer, operation)
    }
  }

  private mutating func register(_ event: String, by deadline: VICIDeadline) throws(VICIFailure) -> Bool {
    let operation = "vici register \(event)"
    // charon would keep a second registration besides the first, and send every event twice.
    if registered.contains(event), !isBroken { return true }
    let answer = try ask(.register(event: event), operation, by: deadline)
    switch answer {
    case .confirmed:
      registered.append(event)
      return true
    case .eventUnknown: return false
    case .response, .commandUnknown, .event, .request, .register, .unregister: throw unexpected(answer, operation)
    }
  }

  private mutating func unregister(_ event: String, by deadline: VICIDeadline) throws(VICIFailure) {
    let operation = "vici unregister \(event)"
    let answer = try ask(.unregister(event: event), operation, by: deadline)
    switch answer {
    // Unknown to charon: then it sends none, which is what was asked for.
    case .confirmed, .eventUnknown: registered.removeAll { $0 == event }
    case .response, .commandUnknown, .event, .request, .register, .unregister: throw unexpected(answer, operation)
    }
  }

  /// Sends a packet and returns the first one that is no event.
  private mutating func ask(
    _ packet: VICIPacket, _ operation: String, by deadline: VICIDeadline, streaming event: String? = nil,
    _ each: (VICIMessage) -> Void = { _ in }
  ) throws(VICIFailure) -> VICIPacket {
    guard !isBroken else { throw failure(.broken, operation) }
    let bytes: [UInt8]
    do throws(VICIFailure) { bytes = try packet.encoded() } catch { throw error.asked(operation, of: socketPath) }
    do throws(VICIFailure) {
      // A stray answer must not pass for ours.
      if let stray = try sortFrames() { throw VICIFailure(.unexpected(packet: stray.kind.name)) }
      try socket.send(VICIFrames.encode(bytes), by: deadline)
      return try answer(by: deadline, streaming: event, each)
    } catch { throw broke(error, operation) }
  }

  private mutating func answer(
    by deadline: VICIDeadline, streaming event: String?, _ each: (VICIMessage) -> Void
  ) throws(VICIFailure) -> VICIPacket {
    while true {
      frames.append(try socket.receive(by: deadline))
      if let packet = try sortFrames(streaming: event, each) { return packet }
      // Checked only now: an answer that arrived in time counts, however late we got to run. But a flood of events, or
      // an answer that trickles in byte by byte, ends with the deadline.
      guard !deadline.hasPassed else { throw VICIFailure(.timedOut) }
    }
  }

  /// Returns the events that arrived, up to the first packet that is not one.
  private mutating func sortFrames(
    streaming event: String? = nil, _ each: (VICIMessage) -> Void = { _ in }
  ) throws(VICIFailure) -> VICIPacket? {
    while let frame = try frames.next() {
      let packet = try VICIPacket(decoding: frame)
      guard case .event(let name, let message) = packet else { return packet }
      if name == event {
        each(message)
      } else if !events.append(name, message, bytes: frame.count) {
        overflowed = true
      }
    }
    return nil
  }

  private func failure(_ cause: VICIFailure.Cause, _ operation: String) -> VICIFailure {
    VICIFailure(operation: operation, socketPath: socketPath, cause: cause)
  }

  private mutating func broke(_ failure: VICIFailure, _ operation: String) -> VICIFailure {
    isBroken = true
    return failure.asked(operation, of: socketPath)
  }

  private mutating func unexpected(_ packet: VICIPacket, _ operation: String) -> VICIFailure {
    broke(VICIFailure(.unexpected(packet: packet.kind.name)), operation)
  }
}
