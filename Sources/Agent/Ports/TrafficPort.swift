internal import Core
package import RuleSets

/// What the devices have carried. Called from any thread; each call is one question to the kernel, and changes nothing.
///
/// Contract: every device that there is, up or down, with what it has counted since it was made: a device that was made
/// anew, as a tunnel may be, starts at 0. Numbers of one device belong together; two devices' may be an instant apart.
package protocol TrafficPort: Sendable {
  func traffic() throws(KernelFailure) -> [InterfaceName: Traffic]
}

/// What one device has carried: the packets that the kernel handed to it and got from it, of whatever protocol. A tunnel
/// counts inner packets, without what its outer ones add.
package struct Traffic: Equatable, Sendable {
  package var bytesIn: UInt64
  package var bytesOut: UInt64
  package var packetsIn: UInt64
  package var packetsOut: UInt64

  package init(bytesIn: UInt64 = 0, bytesOut: UInt64 = 0, packetsIn: UInt64 = 0, packetsOut: UInt64 = 0) {
    self.bytesIn = bytesIn
    self.bytesOut = bytesOut
    self.packetsIn = packetsIn
    self.packetsOut = packetsOut
  }
}
