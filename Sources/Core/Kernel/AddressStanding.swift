package import RuleSets

/// How far an address or a route is good (ifa_scope, rtm_scope; enum rt_scope_t of linux/rtnetlink.h). The wider, the
/// smaller.
package struct Scope: Hashable, Comparable, Sendable {
  package let value: UInt8
  package init(_ value: UInt8) { self.value = value }
  package static let universe = Scope(0)
  package static let link = Scope(253)
  package static let host = Scope(254)
  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// The kernel's data about an address besides the address itself. Most are plain: primary, good everywhere and for
/// good, the interface's own end of its subnet.
package struct AddressStanding: Hashable, Sendable {
  /// Why the kernel would rather not use an address, or must not (IFA_F_… of linux/if_addr.h).
  package enum Flaw: Hashable, Sendable {
    /// IFA_F_TENTATIVE: it is not known yet whether another host has it too.
    case tentative
    /// IFA_F_DADFAILED: another host has it.
    case duplicate
    /// IFA_F_DEPRECATED: its preferred lifetime is over.
    case deprecated
  }

  package var scope: Scope
  /// IFA_F_SECONDARY: another address of the same subnet comes before it, and the kernel never chooses it.
  package var isSecondary: Bool
  package var flaw: Flaw?
  /// IFA_ADDRESS where it is the far end's: the subnet is that one's.
  package var peer: IPv4Address?

  package init(
    scope: Scope = .universe, isSecondary: Bool = false, flaw: Flaw? = nil, peer: IPv4Address? = nil
  ) {
    self.scope = scope
    self.isSecondary = isSecondary
    self.flaw = flaw
    self.peer = peer
  }

  package static let plain = AddressStanding()
}

extension IPv4Address {
  /// 169.254.0.0/16 (RFC 3927): what a host gives itself where no DHCP server answers.
  package var isLinkLocal: Bool { value >> 16 == 0xa9fe }
}
