internal import CMnl
internal import Glibc

/// Requests and their answers over one socket, one at a time.
struct Conversation: ~Copyable, @unchecked Sendable {
  let socket: NetlinkSocket
  private var sequence: UInt32 = 0
  private let buffer: UnsafeMutableRawBufferPointer

  /// The kernel fills dump datagrams up to 32 KiB (netlink_dump, net/netlink/af_netlink.c); a single nftables rule or set
  /// may be larger.
  private static let bufferSize = 128 << 10
  /// Something changes without end where a dump is interrupted more often than this.
  static let dumpAttempts = 8

  init(_ socket: consuming NetlinkSocket) {
    self.socket = socket
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
  }

  deinit { buffer.deallocate() }

  mutating func nextSequence() -> UInt32 {
    // 0 is what events carry.
    sequence = sequence == .max ? 1 : sequence + 1
    return sequence
  }

  /// Sends one message and waits for its acknowledgement; `answer` gets what comes before that (a GET's object).
  mutating func request(
    _ operation: String, type: Int, flags: Int32 = 0, _ fill: (inout MessageBuilder) -> Void,
    answer: (Message) -> Bool = { _ in true }
  ) throws(NetlinkFailure) {
    let number = nextSequence()
    var builder = MessageBuilder()
    builder.begin(type: type, flags: flags | NLM_F_ACK, sequence: number)
    fill(&builder)
    try socket.send(try builder.finish(operation), operation)
    try readReply(operation, number, answer)
  }

  /// Sends messages as one datagram: the kernel runs through them within sendmsg(2), so that no signal comes between.
  /// Each is acknowledged; the first error is thrown when all were read.
  mutating func requests(
    _ operation: String, _ messages: [(type: Int, flags: Int32, fill: (inout MessageBuilder) -> Void)]
  ) throws(NetlinkFailure) {
    var builder = MessageBuilder(capacity: MessageBuilder.ordinaryCapacity * max(1, messages.count))
    var numbers: [UInt32] = []
    for message in messages {
      let number = nextSequence()
      numbers.append(number)
      builder.begin(type: message.type, flags: message.flags | NLM_F_ACK, sequence: number)
      message.fill(&builder)
    }
    try socket.send(try builder.finish(operation), operation)
    var first: NetlinkFailure?
    for number in numbers {
      do throws(NetlinkFailure) { try readReply(operation, number) { _ in true } } catch {
        if first == nil { first = error }
      }
    }
    if let first { throw first }
  }

  /// Dumps, again where the kernel says that what it dumped changed meanwhile. `restart` is called before each attempt.
  ///
  /// - Parameter takingInterrupted: where every attempt was interrupted, take what the last one brought. It is read to its
  ///   end each time; only what came or went meanwhile, or is next to it, may be missing or reported twice.
  /// - Returns: whether an attempt was not interrupted.
  @discardableResult
  mutating func dump(
    _ operation: String, type: Int, attempts: Int = dumpAttempts, takingInterrupted: Bool = false,
    _ fill: (inout MessageBuilder) -> Void, restart: () -> Void, each: (Message) -> Bool
  ) throws(NetlinkFailure) -> Bool {
    for attempt in 1...attempts {
      restart()
      do throws(NetlinkFailure) {
        try dumpOnce(operation, type: type, fill, each)
        return true
      } catch {
        guard error.isInterrupted else { throw error }
        if attempt == attempts && !takingInterrupted { throw error }
      }
    }
    return false
  }

  private mutating func dumpOnce(
    _ operation: String, type: Int, _ fill: (inout MessageBuilder) -> Void, _ each: (Message) -> Bool
  ) throws(NetlinkFailure) {
    let number = nextSequence()
    var builder = MessageBuilder()
    builder.begin(type: type, flags: NLM_F_ROOT | NLM_F_MATCH, sequence: number)
    fill(&builder)
    try socket.send(try builder.finish(operation), operation)
    try readReply(operation, number, each)
  }

  private mutating func readReply(
    _ operation: String, _ number: UInt32, _ each: (Message) -> Bool
  ) throws(NetlinkFailure) {
    var reader = ReplyReader(operation: operation, sequence: number, port: socket.port)
    while true {
      guard let datagram = try socket.receive(into: buffer, operation) else {
        throw NetlinkFailure(operation: operation, errno: ETIMEDOUT, kernelText: "the kernel did not answer")
      }
      if try reader.take(datagram, each) == .finished { return }
    }
  }

  /// Reads what is queued now, without waiting. For requests that the kernel answers only where it refuses them.
  mutating func drain(_ operation: String, _ each: (Message) -> Void) throws(NetlinkFailure) {
    while let datagram = try socket.receive(into: buffer, waiting: false, operation) {
      guard Message.forEach(in: datagram, each) else { throw NetlinkFailure.malformed(operation) }
    }
  }
}
