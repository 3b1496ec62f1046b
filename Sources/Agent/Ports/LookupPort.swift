package import Core
package import RuleSets

/// The kernel's own word on where packets go. Called from any thread; changes nothing.
///
/// Contract: `lookup` answers as for a packet that comes in, or is sent, now: by everyone's rules and routes, and with the
/// reverse-path check where it comes in by a device. One that is not there throws.
package protocol LookupPort: Sendable {
  func lookup(_ question: LookupQuestion) throws(KernelFailure) -> LookupAnswer
  /// The routes of the main table that hold one of these addresses, whoever made them, defaults left out.
  func mainRoutes(to addresses: [IPv4Address]) throws(KernelFailure) -> [TableRoute]
}
