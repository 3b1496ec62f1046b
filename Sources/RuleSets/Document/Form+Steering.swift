/// What a document writes of a packet's properties, each with the mistake that people make.
extension Form where Value == MACAddress {
  /// The hardware address of one device.
  package static let macAddress = Form(
    .text("mac_address", 17...17, "the MAC address of one device, such as 02:00:5e:10:00:01")
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    if let address = MACAddress(text) { return .value(address) }
    let digits = text.utf8.filter { byte in ![":", "-", "."].map { UInt8(ascii: $0) }.contains(byte) }
    guard digits.count == 12, let number = UInt64(String(decoding: digits, as: UTF8.self), radix: 16) else {
      return .refused()
    }
    guard let address = MACAddress(value: number) else { return .refused(hint: "no single device has this address") }
    return .refused(hint: "write \(quoted("\(address)"))")
  }
}

extension Form where Value == ProtocolNumber {
  /// A word, or the number in the IPv4 header.
  package static let ipProtocol: Form = {
    let number = Form<Int64>.integer(0...255)
    let words = ProtocolNumber.words.map(\.word)
    return Form(.either(number.shape, .words(words))) { value in
      guard case .string(let text) = value else {
        guard case .value(let taken) = number.read(value) else { return .refused() }
        return .value(ProtocolNumber(UInt8(taken)))
      }
      if let known = ProtocolNumber(word: text) { return .value(known) }
      if text.lowercased().hasPrefix("icmpv6") { return .refused(hint: "only IPv4 is steered") }
      return .refused(hint: nearest(to: text, among: words).map { "did you mean \(quoted($0))?" })
    }
  }()
}

extension Form where Value == PortRange {
  /// One port as a number, or the first and the last one of a range as text.
  package static let ports: Form = {
    let number = Form<Int64>.integer(1...65_535)
    let text = Shape.text("port_range", 3...11, "or a range of ports such as \"5000-5999\"")
    return Form(.either(number.shape, text)) { value in
      guard case .string(let text) = value else {
        guard case .value(let port) = number.read(value), let range = PortRange(UInt16(port), UInt16(port)) else {
          return .refused()
        }
        return .value(range)
      }
      if let range = PortRange(text) { return .value(range) }
      if let (first, last) = PortRange.parse(text), first > last {
        return .refused(hint: "the lower one first: \(quoted("\(last)-\(first)"))")
      }
      if let port = UInt16(text), port > 0 { return .refused(hint: "without quotes") }
      return .refused(hint: text.contains(":") ? "with \"-\" between the first and the last" : nil)
    }
  }()
}

extension Form where Value == DSCP {
  /// A number, or a class by its name.
  package static let dscp: Form = {
    let number = Form<Int64>.integer(0...63)
    let name = Shape.text("dscp_class", 2...4, "or a class such as EF, AF41 or CS5")
    return Form(.either(number.shape, name)) { value in
      guard case .string(let text) = value else {
        if case .value(let taken) = number.read(value), let dscp = DSCP(value: UInt8(taken)) { return .value(dscp) }
        guard case .integer(let tos) = value, (64...252).contains(tos), tos % 4 == 0 else { return .refused() }
        return .refused(hint: "as a TOS byte this is DSCP \(tos / 4)")
      }
      if let known = DSCP(name: text) { return .value(known) }
      return .refused(hint: DSCP(name: text.uppercased()).map { "did you mean \(quoted("\($0)"))?" })
    }
  }()
}

extension Form where Value == DomainName {
  /// A domain, with everything below it.
  package static let domain = Form(
    .text("domain", 1...DomainName.maximumLength, "a domain such as example.com, which holds its subdomains")
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    return DomainName(text).map { .value($0) } ?? .refused(hint: domainHint(text))
  }

  private static func domainHint(_ text: String) -> String? {
    guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return "write it in punycode, as DNS does: \"xn--…\"" }
    if IPv4Address(text) != nil || IPv4Prefix(text) != nil { return "addresses are in \"destinations\"" }
    var bare = Substring(text)
    if bare.hasPrefix("*.") { bare = bare.dropFirst(2) }
    if bare.hasPrefix(".") { bare = bare.dropFirst() }
    if bare.hasSuffix(".") { bare = bare.dropLast() }
    if let domain = DomainName(bare) { return "write \(quoted(domain.text))" }
    return text.contains("/") ? "a domain, and no URL" : nil
  }
}

extension Form where Value == TimeOfDay {
  /// When something begins.
  package static let timeOfDay = Form(.text("time_of_day", 5...5, "a time of day from 00:00 to 23:59, such as 08:30")) {
    value in
    guard case .string(let text) = value else { return .refused() }
    if let time = TimeOfDay(text), time < .endOfDay { return .value(time) }
    return .refused(hint: timeHint(text))
  }

  /// When something is over: 24:00 is the end of the day.
  package static let endTime = Form(.text("end_time", 5...5, "a time of day from 00:00 to 24:00, such as 17:30")) {
    value in
    guard case .string(let text) = value else { return .refused() }
    if let time = TimeOfDay(text) { return .value(time) }
    return .refused(hint: timeHint(text))
  }

  private static func timeHint(_ text: String) -> String? {
    for candidate in ["0\(text)", "\(text):00", "0\(text):00"] where TimeOfDay(candidate) != nil {
      return "write \(quoted(candidate))"
    }
    if text.utf8.count == 8, let time = TimeOfDay(text.prefix(5)) { return "without seconds: \(quoted("\(time)"))" }
    return nil
  }
}

extension MACAddress: Writable {}
extension DomainName: Writable {}
extension TimeOfDay: Writable {}

extension ProtocolNumber: Writable {
  package func written(as shape: Shape) -> DocumentValue {
    Self.words.contains { $0.number == self } ? .string(description) : .integer(Int64(value))
  }
}

extension PortRange: Writable {
  package func written(as shape: Shape) -> DocumentValue {
    first == last ? .integer(Int64(first)) : .string(description)
  }
}

extension DSCP: Writable {
  package func written(as shape: Shape) -> DocumentValue {
    UInt8(description) == nil ? .string(description) : .integer(Int64(value))
  }
}
