package import Core
package import RuleSets

/// The router's own resolver. Called from any thread.
///
/// Contract: asks 127.0.0.1 by UDP, each question once, all at the same time, and returns within a few seconds. What nobody
/// answers is not in the result. Throws if it cannot be asked at all.
package protocol ResolverPort: Sendable {
  func ask(_ domains: [DomainName]) async throws(KernelFailure) -> [DomainName: DomainQuestion.Answer]
}

/// The file that tells the router's resolver which domains belong into which sets: replaced whole, and readable for it.
///
/// Contract: after `save` the file has this text, also after a crash in the middle, which leaves the old or the new. `load`
/// returns nil where there is none.
package protocol ResolverListStore: Sendable {
  /// For people: where it is.
  var path: String { get }
  func load() throws(StoreFailure) -> String?
  func save(_ text: String) throws(StoreFailure)
}

/// Sets of our table that the resolver fills and that we add to. Called from any thread; does not hold up those that change
/// the rest of the table.
///
/// Contract: `held` throws where there is no such set (ENOENT). `add` puts addresses in, and gives those that are there
/// their whole time again, with no moment in which a packet misses them. It is all or nothing.
package protocol FedSetPort: Sendable {
  func held(by set: String) throws(KernelFailure) -> [IPv4Address]
  func add(_ addresses: [IPv4Address], to set: String) throws(KernelFailure)
}
