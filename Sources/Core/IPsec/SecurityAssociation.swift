package import RuleSets

/// What charon says about one tunnel: the best of its IKE_SAs and the best of its CHILD_SAs. There are briefly several
/// of each while keys are replaced.
package struct TunnelAssociations: Equatable, Sendable {
  package var ike: IKEAssociation?
  package var child: ChildAssociation?

  package init(ike: IKEAssociation? = nil, child: ChildAssociation? = nil) {
    self.ike = ike
    self.child = child
  }

  /// Packets for the tunnel are encrypted and sent.
  package var isUp: Bool { child?.isInstalled ?? false }

  /// Takes in one more of a tunnel's IKE_SAs, with its CHILD_SAs.
  package mutating func add(_ other: IKEAssociation, children: [ChildAssociation]) {
    if ike.map({ other.isBetter(than: $0) }) ?? true { ike = other }
    for candidate in children where child.map({ candidate.isBetter(than: $0) }) ?? true { child = candidate }
  }
}

/// An IKE_SA (RFC 7296 section 1.2).
package struct IKEAssociation: Equatable, Sendable {
  /// As charon names them (ike_sa.h).
  package enum State: String, CaseIterable, Equatable, Sendable {
    case created = "CREATED"
    case connecting = "CONNECTING"
    case established = "ESTABLISHED"
    case passive = "PASSIVE"
    case rekeying = "REKEYING"
    case rekeyed = "REKEYED"
    case deleting = "DELETING"
    case destroying = "DESTROYING"
  }

  /// charon's own number for it.
  package var number: UInt32
  package var state: State
  package var local: IPv4Address?
  package var localID: String?
  package var remoteID: String?
  /// A NAT was seen at either end, or is faked.
  package var hasNAT: Bool
  /// Encryption, integrity or PRF, and key exchange: `AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384`.
  package var cipher: String?
  package var established: Instant?
  package var nextRekey: Instant?
  package var nextReauthentication: Instant?

  package init(
    number: UInt32, state: State, local: IPv4Address? = nil, localID: String? = nil, remoteID: String? = nil,
    hasNAT: Bool = false, cipher: String? = nil, established: Instant? = nil, nextRekey: Instant? = nil,
    nextReauthentication: Instant? = nil
  ) {
    self.number = number
    self.state = state
    self.local = local
    self.localID = localID
    self.remoteID = remoteID
    self.hasNAT = hasNAT
    self.cipher = cipher
    self.established = established
    self.nextRekey = nextRekey
    self.nextReauthentication = nextReauthentication
  }

  /// Both ends have authenticated, and it is not being deleted.
  package var isEstablished: Bool {
    switch state {
    case .established, .rekeying, .passive: true
    case .created, .connecting, .rekeyed, .deleting, .destroying: false
    }
  }

  /// charon is at work on it.
  package var isConnecting: Bool { state == .created || state == .connecting }

  fileprivate func isBetter(than other: IKEAssociation) -> Bool {
    if isEstablished != other.isEstablished { return isEstablished }
    if isConnecting != other.isConnecting { return isConnecting }
    return number > other.number
  }
}

/// A CHILD_SA: one pair of ESP SAs.
package struct ChildAssociation: Equatable, Sendable {
  /// As charon names them (child_sa.h).
  package enum State: String, CaseIterable, Equatable, Sendable {
    case created = "CREATED"
    case routed = "ROUTED"
    case installing = "INSTALLING"
    case installed = "INSTALLED"
    case updating = "UPDATING"
    case rekeying = "REKEYING"
    case rekeyed = "REKEYED"
    case retrying = "RETRYING"
    case deleting = "DELETING"
    case deleted = "DELETED"
    case destroying = "DESTROYING"
  }

  package var number: UInt32
  package var state: State
  package var mode: String
  /// `AES_GCM_16-256`, `AES_CBC-128/HMAC_SHA2_256_128`.
  package var cipher: String?
  /// Its overhead per packet; nil if the sizes of its algorithms are not known here.
  package var encapsulation: ESPEncapsulation?
  package var isInUDP: Bool
  package var installed: Instant?
  package var nextRekey: Instant?
  package var bytesIn: UInt64
  package var bytesOut: UInt64

  package init(
    number: UInt32, state: State, mode: String, cipher: String? = nil, encapsulation: ESPEncapsulation? = nil,
    isInUDP: Bool = false, installed: Instant? = nil, nextRekey: Instant? = nil, bytesIn: UInt64 = 0,
    bytesOut: UInt64 = 0
  ) {
    self.number = number
    self.state = state
    self.mode = mode
    self.cipher = cipher
    self.encapsulation = encapsulation
    self.isInUDP = isInUDP
    self.installed = installed
    self.nextRekey = nextRekey
    self.bytesIn = bytesIn
    self.bytesOut = bytesOut
  }

  package var isInstalled: Bool {
    switch state {
    case .installed, .updating, .rekeying: true
    case .created, .routed, .installing, .rekeyed, .retrying, .deleting, .deleted, .destroying: false
    }
  }

  fileprivate func isBetter(than other: ChildAssociation) -> Bool {
    isInstalled == other.isInstalled ? number > other.number : isInstalled
  }
}

/// What ESP adds to a packet: the negotiated transform, and a UDP header where a NAT is in between.
package struct ESPEncapsulation: Hashable, Sendable {
  package var transform: ESPTransform
  package var isInUDP: Bool

  package init(_ transform: ESPTransform, isInUDP: Bool) {
    self.transform = transform
    self.isInUDP = isInUDP
  }

  /// Bytes of the largest packet that fits into `outer`.
  package func largestInner(_ mode: ESPTransform.Mode, in outer: Int) -> Int {
    transform.largestInner(underlayMTU: outer, mode: mode, isUDPEncapsulated: isInUDP)
  }
}
