internal import CMnl
internal import Glibc

/// Takes the datagrams that answer one request and says when the answer is complete. No socket, no clock.
struct ReplyReader {
  enum Progress: Equatable { case unfinished, finished }

  let operation: String
  /// Of our request. An answer to an earlier request that timed out has another.
  let sequence: UInt32
  let port: UInt32
  private var interrupted = false

  init(operation: String, sequence: UInt32, port: UInt32) {
    self.operation = operation
    self.sequence = sequence
    self.port = port
  }

  /// `body` gets each message that is neither an error nor an end; it answers whether it understood it.
  mutating func take(
    _ datagram: UnsafeRawBufferPointer, _ body: (Message) -> Bool
  ) throws(NetlinkFailure) -> Progress {
    var progress = Progress.unfinished
    let isWhole = try Message.forEach(in: datagram) { message throws(NetlinkFailure) in
      guard message.sequence == sequence, message.port == port, progress == .unfinished else { return }
      // The dump goes on; the next one may be asked for only when this one is read to its end (EBUSY).
      if message.has(NLM_F_DUMP_INTR) { interrupted = true }
      switch Int32(message.type) {
      case NLMSG_NOOP: break
      case NLMSG_OVERRUN: throw NetlinkFailure(operation: operation, errno: ENOBUFS)
      case NLMSG_DONE:
        // Its number is the dump's errno, and absent in old kernels.
        if let number = message.errorNumber, number != 0 { throw failure(number, message) }
        progress = .finished
      case NLMSG_ERROR:
        guard let number = message.errorNumber else { throw NetlinkFailure.malformed(operation) }
        if number != 0 { throw failure(number, message) }
        progress = .finished
      default: if !body(message) { throw NetlinkFailure.malformed(operation) }
      }
    }
    guard isWhole else { throw NetlinkFailure.malformed(operation) }
    if progress == .finished && interrupted {
      throw NetlinkFailure(operation: operation, errno: EINTR, kernelText: "the objects changed during the dump")
    }
    return progress
  }

  private func failure(_ number: Int32, _ message: Message) -> NetlinkFailure {
    NetlinkFailure(operation: operation, errno: number, kernelText: message.extendedText)
  }
}
