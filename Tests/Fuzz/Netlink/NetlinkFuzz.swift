internal import Netlink

/// Any bytes as a netlink datagram: devices, addresses, routes, rules, nftables, connections, events and errors.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNetlink(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  _ = readAnything(UnsafeRawBufferPointer(start: start, count: count))
  return 0
}
