/// FNV-1a, 64 bits: tells a whole file or line from a torn or altered one. Against accidents only; it proves nothing about
/// who wrote it.
package struct Checksum: Sendable {
  // Inlinable, so that a caller who adds megabytes gets code specialised for its own kind of bytes.
  @usableFromInline package var state: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  /// Adds bytes to the sum. How they are split over calls makes no difference; see `add(part:)` for where it must.
  @inlinable package mutating func add(_ bytes: some Sequence<UInt8>) {
    let before = state
    // Without specialised code, each byte of a sequence would be an allocation.
    if let after = bytes.withContiguousStorageIfAvailable({ Self.adding($0, to: before) }) {
      state = after
    } else {
      for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
  }

  /// The state after these bytes.
  @usableFromInline package static func adding(_ bytes: UnsafeBufferPointer<UInt8>, to state: UInt64) -> UInt64 {
    bytes.reduce(state) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// A part with its length before it, so that no byte can move from one part to the next unseen.
  @inlinable package mutating func add(part: some Collection<UInt8>) {
    for shift in stride(from: 0, to: 64, by: 8) { add(CollectionOfOne(UInt8(truncatingIfNeeded: part.count >> shift))) }
    add(part)
  }

  /// 16 hexadecimal digits.
  package var text: String {
    let digits = String(state, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
