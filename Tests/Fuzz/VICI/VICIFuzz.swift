internal import VICI

/// Any bytes as what charon sent, and as one message. What can be read is written to something that reads the same, and
/// how the stream was cut makes no difference.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzVICI(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let message = try? VICIMessage(decoding: bytes) { check(message, from: bytes) }
  let whole = packets([bytes])
  guard packets([Array(bytes[..<(count / 2)]), Array(bytes[(count / 2)...])]) == whole else {
    fatalError("cut in two, it is another stream")
  }
  for packet in whole {
    do throws(VICIFailure) { check(try VICIPacket(decoding: packet), from: packet) } catch { _ = error.description }
  }
  return 0
}

private func packets(_ pieces: [[UInt8]]) -> [[UInt8]] {
  var frames = VICIFrames()
  var packets: [[UInt8]] = []
  for piece in pieces {
    frames.append(piece)
    while let packet = try? frames.next() { packets.append(packet) }
  }
  return packets
}

private func check(_ message: VICIMessage, from bytes: [UInt8]) {
  _ = message.description
  guard let written = try? message.encoded() else { fatalError("read, but cannot be written") }
  guard written == bytes else { fatalError("written in another way") }
  guard (try? VICIMessage(decoding: written)) == message else { fatalError("read back as another message") }
}

private func check(_ packet: VICIPacket, from bytes: [UInt8]) {
  guard let written = try? packet.encoded() else { fatalError("read, but cannot be written") }
  guard written == bytes else { fatalError("written in another way") }
  guard (try? VICIPacket(decoding: written)) == packet else { fatalError("read back as another packet") }
}
