internal import System

/// Any bytes as what a raw ICMP socket received: they are ignored, or they are an answer that no shorter packet is, and
/// bytes after the packet's own length change nothing.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzICMP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let message = parse(bytes) else { return 0 }
  guard count >= 28 else { fatalError("made an answer of \(count) bytes") }
  let length = Int(bytes[2]) << 8 | Int(bytes[3])
  guard parse(Array(bytes[..<length]) + [0x2a]) == message else { fatalError("bytes after it count") }
  guard parse(Array(bytes[..<(length - 1)])) == nil else { fatalError("took a packet that is cut") }
  return 0
}

private func parse(_ bytes: [UInt8]) -> ICMPMessage? { ICMPMessage.parse(bytes.span) }
