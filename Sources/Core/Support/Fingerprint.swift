/// What is kept of a value to know it again by: 8 bytes, however large it is. Seeded differently in each process, so
/// that nobody can construct two values with the same one; never stored.
package struct Fingerprint: Equatable, Sendable {
  private let hash: Int

  package init(_ value: some Hashable) {
    var hasher = Hasher()
    hasher.combine(value)
    hash = hasher.finalize()
  }

  /// For a text: all at once, whereas an array is hashed byte by byte.
  package init(bytes: [UInt8]) {
    var hasher = Hasher()
    hasher.combine(bytes.count)
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    hash = hasher.finalize()
  }
}
