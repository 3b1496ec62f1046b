internal import Core
internal import RuleSets

/// Where a packet goes, as `explain` answers. What does not apply is null.
package struct ExplainReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var source: String
  package var destination: String
  /// `tcp`, `udp` or `icmp`; null for any.
  package var service: String?
  package var port: UInt16?
  /// The interface by which it comes in; null if the router sends it.
  package var incoming: String?
  /// `steering` (a steering rule), `rule` (a backhaul rule), `direct` (direct destinations), `router` (it is the router's
  /// own) or `nobody`.
  package var takenBy: String
  /// The steering rule's or the backhaul rule's name.
  package var rule: String?
  /// One line for each steering rule that does not take it and stands before the one that does: why not. Of many only the
  /// first ones.
  package var passed: [String]
  /// As a rule's `mode` and `cause`.
  package var mode: String?
  package var cause: String?
  /// The packet's mark when it is looked up, only our bits; null if none is set.
  package var mark: UInt32?
  package var mask: UInt32
  /// As ip(8) takes it, with its priority.
  package var ipRule: String?
  package var table: UInt32?
  package var route: String?
  package var device: String?
  package var gateway: String?
  /// Its source becomes the uplink's own address.
  package var translated: Bool
  package var path: String?
  package var pathState: String?
  package var tunnel: String?
  package var hub: String?
  package var outer: OuterPacketReport?
  /// Null where no IPsec is involved.
  package var child: ChildReport?
  /// `hub`, `local_wan`, `private_line`, `site` (a LAN, or another's device), `router` (it takes it itself), `blocked`,
  /// `unreachable`, `spoofed`, `lost` (in a tunnel that cannot send it on), `diverted` (the kernel sends it another way
  /// than the rule set wants) or `obstructed` (something on this router drops it).
  package var outcome: String
  /// One sentence.
  package var verdict: String
  /// The kernel's live answer; null if it was not asked, as for IPv6.
  package var kernel: LookupReport?
  package var warnings: [String]
}

/// A tunnel's packet around another.
package struct OuterPacketReport: Codable, Equatable, Sendable {
  package var source: String?
  package var destination: String
  /// Null where it does not get away.
  package var device: String?
}

/// The kernel's answer about a packet's way, with everyone's rules and routes.
package struct LookupReport: Codable, Equatable, Sendable {
  /// `out`, `local`, `unreachable` or `spoofed`.
  package var answer: String
  package var device: String?
  package var gateway: String?
  package var table: UInt32?
}

extension LookupReport {
  init(_ answer: LookupAnswer) {
    switch answer {
    case .out(let device, let gateway, let table):
      self.init(answer: "out", device: device.text, gateway: gateway?.description, table: table.value)
    case .local: self.init(answer: "local")
    case .unreachable: self.init(answer: "unreachable")
    case .discarded: self.init(answer: "unreachable")
    case .spoofed: self.init(answer: "spoofed")
    }
  }
}
