/// What a value of a document must look like: the words for it, and how it is read.
package struct Form<Value>: Sendable {
  /// What came of reading one value.
  package enum Reading {
    case value(Value)
    /// The hint, if there is one, tells the author how to mend it.
    case refused(hint: String? = nil)
    /// The value may hold a secret, so the complaint does not repeat it.
    case refusedSecret(_ hint: String)
  }

  /// What it takes, as data.
  package let shape: Shape
  package let read: @Sendable (DocumentValue) -> Reading

  package init(_ shape: Shape, read: @escaping @Sendable (DocumentValue) -> Reading) {
    self.shape = shape
    self.read = read
  }

  /// A form that nothing but words describes.
  package init(_ expected: String, read: @escaping @Sendable (DocumentValue) -> Reading) {
    self.init(.other(expected), read: read)
  }

  /// Follows "expected": `an IPv4 address such as 192.0.2.1`.
  package var expected: String { shape.expected }

  /// The value, or what to complain: `expected …, found …`, and the hint in brackets.
  package func judge(_ value: DocumentValue) -> Result<Value, Refusal> {
    switch read(value) {
    case .value(let result): .success(result)
    case .refused(let hint):
      .failure(Refusal(text: "expected \(expected), found \(value.found)" + (hint.map { " (\($0))" } ?? "")))
    case .refusedSecret(let hint): .failure(Refusal(text: "expected \(expected); \(hint)"))
    }
  }

  /// Why a value was refused, as the complaint's text: it does not say which field it is about.
  package struct Refusal: Error {
    package var text: String
  }
}

extension Form.Reading {
  /// For fields that name a secret's file: an author who writes the secret itself there, perhaps as a number, must not
  /// find it in a log.
  package static var mayBeTheSecret: Self {
    .refusedSecret("what was found is not repeated, since it may be the secret itself")
  }
}

extension Form where Value == Bool {
  package static let boolean = Form(.boolean) { value in
    if case .boolean(let flag) = value { return .value(flag) }
    guard case .string(let text) = value, text == "true" || text == "false" else { return .refused() }
    return .refused(hint: "without quotes")
  }
}

extension Form where Value == Int64 {
  /// A whole number in `range`, bounds included. A decimal is refused even where it has no fraction, as in `5.0`.
  package static func integer(_ range: ClosedRange<Int64>, of unit: String = "") -> Form {
    Form(.integer(range, unit: unit)) { value in
      if case .integer(let number) = value, range.contains(number) { return .value(number) }
      if case .decimal(let number) = value, number == number.rounded(), abs(number) < 1e15 {
        return .refused(hint: "without decimal point or exponent")
      }
      guard case .string(let text) = value else { return .refused() }
      return .refused(hint: Int64(text) == nil ? nil : "without quotes")
    }
  }
}

extension Form where Value == Duration {
  /// A whole number; the unit is the key's last part.
  package static func milliseconds(_ range: ClosedRange<Int64>) -> Form {
    duration(range, unit: "milliseconds", perSecond: 1000) { .milliseconds($0) }
  }

  /// A whole number of seconds; the key's name ends in the unit.
  package static func seconds(_ range: ClosedRange<Int64>) -> Form {
    duration(range, unit: "seconds", perSecond: 1) { .seconds($0) }
  }

  private static func duration(
    _ range: ClosedRange<Int64>, unit: String, perSecond: Double, _ make: @escaping @Sendable (Int64) -> Duration
  ) -> Form {
    let whole = Form<Int64>.integer(range, of: unit)
    return Form(whole.shape) { value in
      if case .string(let text) = value, let seconds = secondsWritten(in: text), seconds < 1e9 {
        return .refused(hint: "write \(Int64((seconds * perSecond).rounded())): the unit is in the key's name")
      }
      switch whole.read(value) {
      case .value(let number): return .value(make(number))
      case .refused(let hint): return .refused(hint: hint)
      case .refusedSecret(let hint): return .refusedSecret(hint)
      }
    }
  }

  /// What people write for a time: `5s`, `500 ms`, `2m`.
  private static func secondsWritten(in text: String) -> Double? {
    let units: [(String, Double)] = [("ms", 0.001), ("min", 60), ("sec", 1), ("s", 1), ("m", 60), ("h", 3600)]
    for (unit, factor) in units where text.hasSuffix(unit) {
      var number = text.dropLast(unit.count)
      while number.last == " " { number = number.dropLast() }
      guard let amount = Double(number), amount.isFinite, amount >= 0 else { return nil }
      return amount * factor
    }
    return nil
  }
}

extension Form where Value == String {
  /// One line of text without control characters.
  package static func text(_ expected: String, atMost bytes: Int) -> Form {
    Form(.text("line", 1...bytes, "\(expected) of 1 to \(bytes) bytes")) { value in
      guard case .string(let text) = value, (1...bytes).contains(text.utf8.count) else { return .refused() }
      return text.utf8.contains { $0 < 0x20 || $0 == 0x7f } ? .refused(hint: "no control characters") : .value(text)
    }
  }
}

extension Form where Value == Name {
  package static let name = Form(
    .text(
      "name", 1...Name.maximumLength,
      "a name of 1 to \(Name.maximumLength) of a–z, 0–9 and \"-\" that begins with a letter")
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    if let name = Name(text) { return .value(name) }
    let proposal = String(text.lowercased().map { $0 == "_" || $0 == " " || $0 == "." ? "-" : $0 })
    return .refused(hint: Name(proposal).map { "\(quoted($0.text)) would do" })
  }
}

extension Form where Value == InterfaceName {
  package static let interface = Form(
    .text(
      "interface", 1...InterfaceName.maximumLength,
      "the name of a network interface (1 to \(InterfaceName.maximumLength) characters, no space, \"/\" or \":\")")
  ) { value in
    guard case .string(let text) = value, let name = InterfaceName(text) else { return .refused() }
    return .value(name)
  }
}

extension Form where Value: CaseIterable & RawRepresentable & Sendable, Value.RawValue == String {
  /// One of a fixed set of words; `unsupported` says why a word that one might expect is refused.
  package static func choice(unsupported: [String: String] = [:]) -> Form {
    let words = Value.allCases.map(\.rawValue)
    return Form(.words(words)) { value in
      guard case .string(let text) = value else { return .refused() }
      if let choice = Value(rawValue: text) { return .value(choice) }
      return .refused(hint: unsupported[text] ?? nearest(to: text, among: words).map { "did you mean \(quoted($0))?" })
    }
  }
}

extension DocumentValue {
  /// Follows "found" in a complaint.
  var found: String {
    switch self {
    case .null: "null"
    case .boolean(let flag): "\(flag)"
    case .integer(let number): "\(number)"
    case .decimal(let number): "\(number)"
    case .string(let text): quoted(text)
    case .list: "a list"
    case .object: "an object"
    }
  }
}
