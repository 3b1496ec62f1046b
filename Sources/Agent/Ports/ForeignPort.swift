package import Core

/// What other software has in the kernel that may come into our way. Called from any thread; changes nothing.
///
/// Contract: it includes neither our own objects nor those that the kernel comes with.
package protocol ForeignPort: Sendable {
  func foreign() throws(KernelFailure) -> ForeignObjects
}
