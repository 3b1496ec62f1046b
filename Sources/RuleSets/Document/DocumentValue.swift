/// A parsed JSON or TOML document, before anyone knows what it means. Keys keep their order of appearance.
package enum DocumentValue: Equatable, Sendable {
  case null
  case boolean(Bool)
  case integer(Int64)
  case decimal(Double)
  case string(String)
  case list([DocumentValue])
  case object([Member])

  /// A key of an object and its value. A TOML table is an object too.
  package struct Member: Equatable, Sendable {
    package var key: String
    package var value: DocumentValue
    package init(_ key: String, _ value: DocumentValue) {
      self.key = key
      self.value = value
    }
  }
}
