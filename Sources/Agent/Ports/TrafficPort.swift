package import Core
package import RuleSets

/// What the devices have carried. Called from any thread; each call is one question to the kernel, and changes nothing.
///
/// Contract: every existing device, up or down, with its counters since it was created; a device that was recreated, as
/// a tunnel may be, starts at 0. Numbers of one device belong together; two devices' may be an instant apart.
package protocol TrafficPort: Sendable {
  func traffic() throws(KernelFailure) -> [InterfaceName: Traffic]
}
