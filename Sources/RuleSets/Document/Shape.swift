/// What a form takes, as data: the words of complaints, the JSON Schema and the tables of etc/rule-set.md come from it.
package enum Shape: Sendable {
  case boolean
  /// Both bounds are taken; the unit may be empty.
  case integer(ClosedRange<Int64>, unit: String)
  /// Text with rules of its own, which go by a name; so many bytes; and what follows "expected".
  case text(String, ClosedRange<Int>, String)
  case words([String])
  /// One number or word, and no other.
  case constant(DocumentValue)
  indirect case either(Shape, Shape)
  indirect case list(ClosedRange<Int>, of: Shape, isUnique: Bool)
  case object(any Described.Type)
  /// What is described in words alone.
  case other(String)

  /// Follows "expected" in a complaint.
  package var expected: String {
    switch self {
    case .boolean: return "true or false"
    case .integer(let range, let unit):
      return "a whole number\(unit.isEmpty ? "" : " of \(unit)") from \(range.lowerBound) to \(range.upperBound)"
    case .text(_, _, let expected), .other(let expected): return expected
    case .words(let words):
      let last = words.last.map { quoted($0) } ?? ""
      let others = words.dropLast().map { quoted($0) }.joined(separator: ", ")
      return others.isEmpty ? last : "\(others) or \(last)"
    case .constant(let value): return value.jsonText()
    case .either(let one, let other): return "\(one.expected), \(other.expected)"
    case .list: return "a list"
    case .object: return "an object"
    }
  }

  /// Of the number that it takes; empty where it takes none, or one that has no unit.
  var unit: String {
    switch self {
    case .integer(_, let unit): unit
    case .either(let one, _): one.unit
    default: ""
    }
  }
}

/// A value that can be written into a document.
package protocol Writable: Sendable {
  func written(as shape: Shape) -> DocumentValue
}

extension Writable where Self: CustomStringConvertible {
  package func written(as shape: Shape) -> DocumentValue { .string(description) }
}

extension Writable where Self: RawRepresentable, RawValue == String {
  package func written(as shape: Shape) -> DocumentValue { .string(rawValue) }
}

extension Writable where Self: BinaryInteger {
  package func written(as shape: Shape) -> DocumentValue { .integer(Int64(clamping: self)) }
}

extension Int: Writable {}
extension Int64: Writable {}
extension UInt32: Writable {}
extension UInt64: Writable {}
extension String: Writable {}
extension Name: Writable {}
extension InterfaceName: Writable {}
extension IPv4Address: Writable {}
extension IPv4Prefix: Writable {}
extension InterfaceAddress: Writable {}

extension Double: Writable {
  /// Documents have whole numbers alone.
  package func written(as shape: Shape) -> DocumentValue { .integer(Int64(rounded())) }
}

extension Bool: Writable {
  package func written(as shape: Shape) -> DocumentValue { .boolean(self) }
}

extension Duration: Writable {
  package func written(as shape: Shape) -> DocumentValue {
    .integer(shape.unit == "milliseconds" ? nanoseconds / 1_000_000 : components.seconds)
  }
}

extension Form where Value == Int64 {
  /// The same number as another type that holds all of the range.
  package func mapped<Other>(_ make: @escaping @Sendable (Int64) -> Other) -> Form<Other> {
    Form<Other>(shape) { value in
      switch read(value) {
      case .value(let number): .value(make(number))
      case .refused(let hint): .refused(hint: hint)
      case .refusedSecret(let hint): .refusedSecret(hint)
      }
    }
  }
}

extension Form where Value == Int {
  /// A whole number in `range`, bounds included.
  package static func count(_ range: ClosedRange<Int64>, of unit: String = "") -> Form {
    Form<Int64>.integer(range, of: unit).mapped { Int($0) }
  }
}
