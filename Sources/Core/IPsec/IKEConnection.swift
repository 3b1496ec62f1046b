package import RuleSets

/// What charon must know to make the SAs of one tunnel: a connection with one child, and the credentials for it. Its
/// name marks it as ours; every other connection in charon is foreign.
package struct IKEConnection: Equatable, Sendable {
  /// The files on this router that hold what it proves its identity with.
  package enum Credentials: Equatable, Sendable {
    /// A file whose content, less a line end, is the key.
    case psk(file: String)
    case certificate(file: String, key: String, authority: String)
  }

  /// What the child SA covers.
  package enum Mode: Equatable, Sendable {
    /// All IPv4 that enters the XFRM interface with this number.
    case tunnel(interfaceID: UInt32)
    /// Packets of one protocol between the two addresses: 47 for GRE, 4 for IPIP.
    case transport(protocol: UInt8)
  }

  package var tunnel: Name
  package var mode: Mode
  package var local: IPv4Address
  package var remote: IPv4Address
  package var localID: IKEIdentity
  package var remoteID: IKEIdentity
  package var credentials: Credentials
  /// Empty: what is safe of what charon offers.
  package var ikeProposals: [Proposal]
  package var espProposals: [Proposal]
  package var ikeRekey: Duration
  package var childRekey: Duration
  package var reauthentication: Duration?
  package var deadPeerDetection: Duration
  package var isAlwaysInUDP: Bool
  /// Another tunnel has the same ids at both ends, so neither may be mistaken for the other's successor.
  package var sharesIDs: Bool

  package init(
    tunnel: Name, mode: Mode, local: IPv4Address, remote: IPv4Address, localID: IKEIdentity, remoteID: IKEIdentity,
    credentials: Credentials, ikeProposals: [Proposal] = [], espProposals: [Proposal] = [],
    ikeRekey: Duration = .seconds(14_400), childRekey: Duration = .seconds(3_600), reauthentication: Duration? = nil,
    deadPeerDetection: Duration = .seconds(10), isAlwaysInUDP: Bool = false, sharesIDs: Bool = false
  ) {
    self.tunnel = tunnel
    self.mode = mode
    self.local = local
    self.remote = remote
    self.localID = localID
    self.remoteID = remoteID
    self.credentials = credentials
    self.ikeProposals = ikeProposals
    self.espProposals = espProposals
    self.ikeRekey = ikeRekey
    self.childRekey = childRekey
    self.reauthentication = reauthentication
    self.deadPeerDetection = deadPeerDetection
    self.isAlwaysInUDP = isAlwaysInUDP
    self.sharesIDs = sharesIDs
  }

  package static let prefix = "backhaul-"

  /// The connection's name in charon. The child has the tunnel's name.
  package var name: String { Self.prefix + tunnel.text }

  /// The tunnel of one of our connections; nil for a foreign one.
  package static func tunnel(ofConnection name: String) -> Name? {
    name.hasPrefix(prefix) ? Name(name.dropFirst(prefix.count)) : nil
  }
}

/// One call to charon.
package enum IKEStep: Equatable, Sendable {
  /// Load the credentials, then the connection. If charon has it with the same content already, nothing changes.
  case load(IKEConnection)
  /// Ends the SAs of a tunnel, and forgets its connection and credentials.
  case unload(Name)
  /// Begins to make the SAs; returns before they are made.
  case initiate(Name)
  /// Ends the SAs without waiting for the hub's word.
  case terminate(Name)
}
