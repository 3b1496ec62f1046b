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
