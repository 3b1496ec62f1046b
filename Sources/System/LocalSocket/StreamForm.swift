internal import Agent

/// How one request and one reply stand on a stream.
struct StreamForm: Sendable {
  enum Parsed: Equatable, Sendable {
    /// More bytes have to come.
    case incomplete
    case complete([UInt8])
    /// Never a request, whatever comes; with what to send back, as it is.
    case refused(reply: [UInt8])
  }

  /// The limit for everything that a client sends.
  var maximumRequest: Int
  var parse: @Sendable (_ received: [UInt8]) -> Parsed
  /// The handler's answer as it is sent.
  var reply: @Sendable (_ body: [UInt8]) -> [UInt8]
  /// The reply when the server is full.
  var busy: @Sendable (_ clients: Int) -> [UInt8]
}

extension StreamForm {
  /// The local API's: a length, and JSON.
  static let frames = StreamForm(
    maximumRequest: 4 + LocalFrame.maximumRequest,
    parse: { bytes in
      switch LocalFrame.parse(bytes.span) {
      case .incomplete: .incomplete
      case .complete(let request): .complete(request)
      case .refused(let refusal): .refused(reply: LocalFrame.encode(complaint(refusal.description)))
      }
    },
    reply: { body in
      LocalFrame.encode(body.count <= LocalFrame.maximumReply ? body : complaint("the reply is too large"))
    },
    busy: { LocalFrame.encode(LocalAPI.encode(LocalAPI.Refusal.busy($0))) })

  /// What a client gets whose request never reached the handler, or whose reply never left it.
  private static func complaint(_ text: String) -> [UInt8] { LocalAPI.encode(LocalAPI.Refusal(text)) }
}
