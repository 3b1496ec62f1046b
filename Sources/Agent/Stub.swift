package import Core
package struct Traffic: Sendable { package var bytesIn: UInt64; package var bytesOut: UInt64 }
package protocol TrafficPort: Sendable { func traffic() throws(KernelFailure) -> [InterfaceName: Traffic] }
