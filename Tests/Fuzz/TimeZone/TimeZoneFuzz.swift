internal import Core

/// Any bytes as a time zone's file, and as a POSIX rule: they are refused, or they are a zone whose clock is set at the
/// moments that it tells, and at no other.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTimeZone(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let zone = ZoneRules(posix: String(decoding: bytes, as: UTF8.self)) { follow(zone) }
  if let zone = try? ZoneRules(tzif: bytes) { follow(zone) }
  return 0
}

private func follow(_ zone: ZoneRules) {
  for start: Int64 in [-4_000_000_000, 0, 1_700_000_000, 4_102_444_800] {
    var moment = start
    for _ in 0..<8 {
      guard (0..<10_080).contains(zone.minuteOfWeek(at: moment)) else { fatalError("no minute of a week") }
      guard let next = zone.nextChange(after: moment) else { break }
      guard next > moment else { fatalError("the next change is not later") }
      guard zone.offset(at: next - 1) == zone.offset(at: moment) else { fatalError("a change was missed") }
      moment = next
    }
  }
}
