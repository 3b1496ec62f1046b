/// What travels in one frame ("Packet layer" in the README of strongSwan's vici plugin).
package enum VICIPacket: Equatable, Sendable {
  // Sent by clients.
  case request(command: String, VICIMessage)
  case register(event: String)
  case unregister(event: String)

  // Sent by charon: answers, and `event` at any time.
  case response(VICIMessage)
  case commandUnknown
  case confirmed
  case eventUnknown
  case event(name: String, VICIMessage)

  /// The first byte of a packet, named as in the README.
  enum Kind: UInt8 {
    case request = 0
    case response = 1
    case commandUnknown = 2
    case register = 3
    case unregister = 4
    case confirmed = 5
    case eventUnknown = 6
    case event = 7

    var name: String {
      switch self {
      case .request: "CMD_REQUEST"
      case .response: "CMD_RESPONSE"
      case .commandUnknown: "CMD_UNKNOWN"
      case .register: "EVENT_REGISTER"
      case .unregister: "EVENT_UNREGISTER"
      case .confirmed: "EVENT_CONFIRM"
      case .eventUnknown: "EVENT_UNKNOWN"
      case .event: "EVENT"
      }
    }
  }

  var kind: Kind {
    switch self {
    case .request: .request
    case .response: .response
    case .commandUnknown: .commandUnknown
    case .register: .register
    case .unregister: .unregister
    case .confirmed: .confirmed
    case .eventUnknown: .eventUnknown
    case .event: .event
    }
  }

  package init(decoding bytes: [UInt8]) throws(VICIFailure) {
    var reader = VICIReader(bytes)
    guard let byte = reader.byte() else { throw VICIFailure(.malformed(.cutOff, at: 0)) }
    guard let kind = Kind(rawValue: byte) else { throw VICIFailure(.malformed(.unknownPacket(byte), at: 0)) }
    switch kind {
    case .request: self = .request(command: try reader.name(from: 0), try VICIMessage(from: &reader))
    case .response: self = .response(try VICIMessage(from: &reader))
    case .commandUnknown: self = .commandUnknown
    case .register: self = .register(event: try reader.name(from: 0))
    case .unregister: self = .unregister(event: try reader.name(from: 0))
    case .confirmed: self = .confirmed
    case .eventUnknown: self = .eventUnknown
    case .event: self = .event(name: try reader.name(from: 0), try VICIMessage(from: &reader))
    }
    guard reader.isAtEnd else { throw VICIFailure(.malformed(.trailing, at: reader.offset)) }
  }

  /// The packet's bytes without the frame's length. Throws if a name or the message cannot be written.
  package func encoded() throws(VICIFailure) -> [UInt8] {
    var writer = VICIWriter()
    writer.byte(kind.rawValue)
    switch self {
    case .request(let name, let message), .event(let name, let message):
      try writer.name(name)
      try message.encode(to: &writer)
    case .register(let name), .unregister(let name): try writer.name(name)
    case .response(let message): try message.encode(to: &writer)
    case .commandUnknown, .confirmed, .eventUnknown: break
    }
    return try writer.finish()
  }
}
