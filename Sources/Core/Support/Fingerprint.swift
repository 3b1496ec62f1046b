/// What is kept of a value to know it again by: 8 bytes, however large it is. Seeded anew in each process, so that nobody
/// makes two values that have the same one; never stored.
package struct Fingerprint: Equatable, Sendable {
  private let hash: Int

  package init(_ value: some Hashable) {
    var hasher = Hasher()
    hasher.combine(value)
    hash = hasher.finalize()
  }

  /// Of a text: all at once, where an array is taken byte by byte.
  package init(bytes: [UInt8]) {
    var hasher = Hasher()
    hasher.combine(bytes.count)
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    hash = hasher.finalize()
  }
}
