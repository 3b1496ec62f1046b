/// A page of metrics in Prometheus's text format, version 0.0.4: families of samples, each family with its help and type
/// before it. Bytes are put one after the other and nothing is formatted twice, as a page of a thousand paths has some
/// twenty thousand samples.
package struct Exposition {
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  package enum Kind: String, Sendable { case counter, gauge, summary }

  /// The labels of samples, written once for all the families that an object is in: `path="fra-a",state="up"`.
  package struct Labels: Equatable, Sendable {
    fileprivate var bytes: [UInt8] = []

    package init() {}
    package init(_ name: StaticString, _ value: String) { self = Labels().adding(name, value) }

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

  package private(set) var bytes: [UInt8] = []
  private var name: StaticString = ""

  package init(reserving count: Int = 0) { bytes.reserveCapacity(count) }

  /// Begins a family; the samples that follow are its own. A family with no sample is no more than two lines of comment.
  package mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString) {
    self.name = name
    bytes.append("# HELP ")
    bytes.append(name)
    bytes.append(UInt8(ascii: " "))
    bytes.append(help)
    bytes.append("\n# TYPE ")
    bytes.append(name)
    bytes.append(UInt8(ascii: " "))
    bytes.append(contentsOf: kind.rawValue.utf8)
    bytes.append(UInt8(ascii: "\n"))
  }

  package mutating func sample(_ labels: Labels, _ value: Int) {
    begin("", labels)
    put(value)
    bytes.append(UInt8(ascii: "\n"))
  }

  package mutating func sample(_ labels: Labels, _ value: Bool) { sample(labels, value ? 1 : 0) }

  package mutating func sample(_ labels: Labels, _ value: Double) {
    begin("", labels)
    put(value)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Of the family's kind `summary`: how many there were, and what they come to.
  package mutating func summary(_ labels: Labels, count: Int, sum: Double) {
    begin("_sum", labels)
    put(sum)
    bytes.append(UInt8(ascii: "\n"))
    begin("_count", labels)
    put(count)
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func begin(_ suffix: StaticString, _ labels: Labels) {
    bytes.append(name)
    bytes.append(suffix)
    if !labels.bytes.isEmpty {
      bytes.append(UInt8(ascii: "{"))
      bytes.append(contentsOf: labels.bytes)
      bytes.append(UInt8(ascii: "}"))
    }
    bytes.append(UInt8(ascii: " "))
  }

  private mutating func put(_ value: Int) {
    if (0..<10).contains(value) { return bytes.append(UInt8(ascii: "0") + UInt8(value)) }
    bytes.append(contentsOf: String(value).utf8)
  }

  private mutating func put(_ value: Double) {
    if value.isNaN { return bytes.append("NaN") }
    if value.isInfinite { return bytes.append(value < 0 ? "-Inf" : "+Inf") }
    if value == value.rounded(), abs(value) < 1e15 { return put(Int(value)) }
    bytes.append(contentsOf: "\(value)".utf8)
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}
