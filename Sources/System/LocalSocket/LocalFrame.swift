/// How requests and replies are framed on the local socket: a length of four bytes, big-endian, and that many bytes of
/// JSON.
package enum LocalFrame {
  /// The longest request: a verb and a few words.
  package static let maximumRequest = 4 << 10
  /// The longest reply that the client takes: the status of some thousand rules fits.
  package static let maximumReply = 64 << 20

  /// What the bytes of a connection amount to so far.
  package enum Parsed: Equatable, Sendable {
    /// More bytes must come.
    case incomplete
    case complete([UInt8])
    /// This can never become a frame, whatever comes.
    case refused(Refusal)
  }

  /// Why bytes can never become a request.
  package enum Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(UInt32, limit: Int)
    /// One connection carries one request.
    case trailing

    package var description: String {
      switch self {
      case .empty: "an empty request"
      case .tooLong(let length, let limit): "a request of \(length) bytes, but the limit is \(limit)"
      case .trailing: "more than one request on a connection"
      }
    }
  }

  /// Reads `bytes`, everything that has come so far.
  package static func parse(_ bytes: Span<UInt8>, limit: Int = maximumRequest) -> Parsed {
    guard bytes.count >= 4 else { return .incomplete }
    var length: UInt32 = 0
    for index in 0..<4 { length = length << 8 | UInt32(bytes[index]) }
    if length == 0 { return .refused(.empty) }
    guard length <= limit else { return .refused(.tooLong(length, limit: limit)) }
    let end = 4 + Int(length)
    if bytes.count < end { return .incomplete }
    if bytes.count > end { return .refused(.trailing) }
    var body: [UInt8] = []
    body.reserveCapacity(Int(length))
    for index in 4..<end { body.append(bytes[index]) }
    return .complete(body)
  }

  package static func encode(_ body: [UInt8]) -> [UInt8] {
    let length = UInt32(truncatingIfNeeded: body.count)
    return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + body
  }
}
