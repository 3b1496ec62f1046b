internal import RuleSets

/// A page of metrics in Prometheus's text format, version 0.0.4: families of samples, each family with its help and type
/// before it. Bytes are put one after the other and nothing is formatted twice, as a page of a thousand paths has some
/// twenty thousand samples.
package struct Exposition {
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The metric type that a family's `# TYPE` line names.
  package enum Kind: String, Sendable { case counter, gauge, summary }

  /// The labels of samples, written once for all the families that an object is in: `path="fra-a",state="up"`.
  package struct Labels: Equatable, Sendable {
    fileprivate var bytes: [UInt8] = []

    package init() {}
    package init(_ name: StaticString, _ value: String) { self = Labels().adding(name, value) }

    /// The same labels and one more; its value is escaped as the format demands.
    package func adding(_ name: StaticString, _ value: String) -> Labels {
      var labels = self
      if !labels.bytes.isEmpty { labels.bytes.append(UInt8(ascii: ",")) }
      labels.bytes.append(name)
      labels.bytes += [UInt8(ascii: "="), UInt8(ascii: "\"")]
      for byte in value.utf8 {
        switch byte {
        case UInt8(ascii: "\\"), UInt8(ascii: "\""): labels.bytes += [UInt8(ascii: "\\"), byte]
        case UInt8(ascii: "\n"): labels.bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
        default: labels.bytes.append(byte)
        }
      }
      labels.bytes.append(UInt8(ascii: "\""))
      return labels
    }
  }

  package var bytes: [UInt8] { buffer.bytes }
  private let buffer: ExpositionBuffer
  private var name: StaticString = ""

  package init(reserving count: Int = 0) { buffer = ExpositionBuffer(capacity: max(count, 1 << 10)) }

  /// Begins a family; the samples that follow belong to it. A family without samples is just two lines of comment.
  package mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString) {
    self.name = name
    buffer.put("# HELP ")
    buffer.put(name)
    buffer.put(" ")
    buffer.put(help)
    buffer.put("\n# TYPE ")
    buffer.put(name)
    buffer.put(" ")
    buffer.put(Array(kind.rawValue.utf8))
    buffer.put("\n")
  }

  /// One sample of the current family.
  package func sample(_ labels: Labels, _ value: Int) {
    begin("", labels)
    put(value)
    buffer.put("\n")
  }

  /// One sample: 1 for true, 0 for false.
  package func sample(_ labels: Labels, _ value: Bool) { sample(labels, value ? 1 : 0) }

  /// One sample. NaN and the infinities are written as `NaN`, `+Inf` and `-Inf`.
  package func sample(_ labels: Labels, _ value: Double) {
    begin("", labels)
    put(value)
    buffer.put("\n")
  }

  /// Seconds.
  package func sample(_ labels: Labels, _ value: Duration) {
    begin("", labels)
    put(value)
    buffer.put("\n")
  }

  /// One sample of a `summary` family: how many observations there were, and their sum.
  package func summary(_ labels: Labels, count: Int, sum: Duration) {
    begin("_sum", labels)
    put(sum)
    buffer.put("\n")
    begin("_count", labels)
    put(count)
    buffer.put("\n")
  }

  private func begin(_ suffix: StaticString, _ labels: Labels) {
    buffer.put(name)
    buffer.put(suffix)
    if !labels.bytes.isEmpty {
      buffer.put("{")
      buffer.put(labels.bytes)
      buffer.put("}")
    }
    buffer.put(" ")
  }

  private func put(_ value: Int) {
    if value < 0 { buffer.put("-") }
    buffer.put(value.magnitude)
  }

  private func put(_ value: Double) {
    if value.isNaN { return buffer.put("NaN") }
    if value.isInfinite { return buffer.put(value < 0 ? "-Inf" : "+Inf") }
    if value == value.rounded(), abs(value) < 1e15 { return put(Int(value)) }
    buffer.put(Array("\(value)".utf8))
  }

  /// Written to the nanosecond: a float's digits would take five times as long.
  private func put(_ value: Duration) {
    let nanoseconds = value.nanoseconds
    if nanoseconds < 0 { buffer.put("-") }
    let (whole, rest) = nanoseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
    buffer.put(UInt(whole))
    guard rest > 0 else { return }
    buffer.put(".")
    var (part, digits) = (UInt(rest), 9)
    while part.isMultiple(of: 10) { (part, digits) = (part / 10, digits - 1) }
    buffer.put(part, digits: digits)
  }
}

/// Bytes that are only added to, copied in one go each.
private final class ExpositionBuffer {
  private var start: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var count = 0

  init(capacity: Int) {
    self.capacity = capacity
    start = .allocate(capacity: capacity)
  }

  deinit { start.deallocate() }

  var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: count)) }

  func put(_ text: StaticString) { put(text.utf8Start, text.utf8CodeUnitCount) }

  func put(_ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { bytes in
      if let address = bytes.baseAddress { put(address, bytes.count) }
    }
  }

  /// Writes a decimal number, padded with zeros to `digits`.
  func put(_ value: UInt, digits: Int = 1) {
    var text: (UInt64, UInt64, UInt32) = (0, 0, 0)
    withUnsafeMutableBytes(of: &text) { text in
      var (rest, first) = (value, text.count)
      repeat {
        first -= 1
        text[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0 || text.count - first < digits
      if let address = text.baseAddress {
        put((address + first).assumingMemoryBound(to: UInt8.self), text.count - first)
      }
    }
  }

  private func put(_ address: UnsafePointer<UInt8>, _ length: Int) {
    if count + length > capacity { grow(count + length) }
    (start + count).update(from: address, count: length)
    count += length
  }

  private func put(_ address: UnsafeMutablePointer<UInt8>, _ length: Int) { put(UnsafePointer(address), length) }

  private func grow(_ needed: Int) {
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: needed * 2)
    larger.update(from: start, count: count)
    start.deallocate()
    (start, capacity) = (larger, needed * 2)
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}
