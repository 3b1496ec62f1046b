package import Core

/// The kernel's connection tracking table. Called from any thread; each call is a few questions to the kernel.
///
/// Contract: `reading` changes nothing. `hold` makes no connection; what is there of `flows` stays until it ends by
/// itself, however full the table is, and for ten minutes at least.
package protocol ConnectionTablePort: Sendable {
  /// Nil if the kernel tracks no connections here.
  func reading() throws(KernelFailure) -> ConnectionTable.Reading?
  /// Returns those that are not there.
  func hold(_ flows: Set<TrackedFlow>) throws(KernelFailure) -> Set<TrackedFlow>
}
