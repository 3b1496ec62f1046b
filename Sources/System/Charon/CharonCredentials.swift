internal import Core
internal import RuleSets
internal import VICI

/// The secrets of connections on their way from files to charon. They are kept nowhere here.
struct CharonCredentials {
  /// charon's ids of the private keys that it was given, by tunnel.
  var keys: [Name: String] = [:]
  /// The tunnels whose pre-shared keys it was given; their ids are the connections' names.
  var shared: Set<Name> = []

  /// What one connection needs. It holds keys, so nothing that prints it shows more than its kind.
  enum Content: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    case psk([UInt8])
    case certificate([UInt8], key: [UInt8], authority: [UInt8])

    var description: String {
      switch self {
      case .psk: "a pre-shared key"
      case .certificate: "a certificate with its key"
      }
    }

    var debugDescription: String { description }

    var customMirror: Mirror { Mirror(self, children: []) }
  }

  /// A certificate, key or authority with whatever text stands around it; charon takes 64 KiB at most in one value.
  private static let mostBytes = 60 << 10

  /// Throws if a file is missing, too large, or a secret may be read by others than root.
  static func read(_ connection: IKEConnection) throws(SystemCallFailure) -> Content {
    try read(connection.credentials)
  }

  /// Throws if `read` would; what was read is forgotten.
  static func check(_ credentials: IKEConnection.Credentials) throws(SystemCallFailure) { _ = try read(credentials) }

  private static func read(_ credentials: IKEConnection.Credentials) throws(SystemCallFailure) -> Content {
    switch credentials {
    case .psk(let file):
      var key = try BoundedFile.read(file, atMost: 4096, secrecy: .ownerOnly)[...]
      while let last = key.last, last == 0x0a || last == 0x0d { key.removeLast() }
      guard !key.isEmpty else { throw SystemCallFailure("read \(file)", cause: "it is empty: no pre-shared key") }
      return .psk(Array(key))
    case .certificate(let certificate, let key, let authority):
      return .certificate(
        try BoundedFile.read(certificate, atMost: mostBytes),
        key: try BoundedFile.read(key, atMost: mostBytes, secrecy: .ownerOnly),
        authority: try BoundedFile.read(authority, atMost: mostBytes))
    }
  }
}

extension CharonCredentials.Content {
  /// What charon must be given before the connection.
  func messages(for connection: IKEConnection) -> [(command: String, message: VICIMessage)] {
    switch self {
    case .psk(let key):
      let shared = VICIMessage {
        $0.set("id", connection.name)
        $0.set("type", "IKE")
        $0.set("data", bytes: key)
        $0.set("owners", [connection.localID.text, connection.remoteID.text])
      }
      return [("load-shared", shared)]
    case .certificate(_, let key, _):
      let message = VICIMessage {
        $0.set("type", "any")
        $0.set("data", bytes: key)
      }
      return [("load-key", message)]
    }
  }
}
