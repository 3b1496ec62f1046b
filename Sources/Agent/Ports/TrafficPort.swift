package import Core
package import RuleSets

/// What the devices have carried. Called from any thread; each call is one question to the kernel, and changes nothing.
///
/// Contract: every device that there is, up or down, with what it has counted since it was made: a device that was made
/// anew, as a tunnel may be, starts at 0. Numbers of one device belong together; two devices' may be an instant apart.
package protocol TrafficPort: Sendable {
  func traffic() throws(KernelFailure) -> [InterfaceName: Traffic]
}
