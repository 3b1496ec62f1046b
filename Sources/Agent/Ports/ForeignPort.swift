package import Core

/// What other software has in the kernel that may come into our way. Called from any thread; changes nothing.
///
/// Contract: nothing of ours is among it, nor anything that the kernel comes with.
package protocol ForeignPort: Sendable {
  func foreign() throws(KernelFailure) -> ForeignObjects
}
