extension VICIMessage {
  /// Bytes may be anything: this is what stands between them and the rest of the program.
  package init(decoding bytes: [UInt8]) throws(VICIFailure) {
    var reader = VICIReader(bytes)
    try self.init(from: &reader)
  }

  /// Everything that is left.
  init(from reader: inout VICIReader) throws(VICIFailure) {
    var elements = 0
    self = try Self.section(from: &reader, depth: 0, &elements)
  }

  // Two states: in a section (the root is one), and in a list. Each takes every element there is.
  //
  //   section ──sectionStart──▶ section, deeper    ──sectionEnd, or the end at the root──▶ back
  //   section ──listStart────▶ list                ──listEnd──▶ back
  //   section ──keyValue─────▶ section             list ──listItem──▶ list

  private static func section(
    from reader: inout VICIReader, depth: Int, _ elements: inout Int
  ) throws(VICIFailure) -> VICIMessage {
    var message = VICIMessage()
    // Limits keys and lists: a packet has room for so many that comparing all pairs would take minutes.
    var names: Set<String> = []
    while true {
      let start = reader.offset
      switch try reader.element(&elements) {
      case .sectionStart:
        let name = try reader.name(from: start)
        guard depth < maximumDepth else { throw VICIFailure(.malformed(.tooDeep, at: start)) }
        let inner = try section(from: &reader, depth: depth + 1, &elements)
        message.members.append(Member(name: name, value: .section(inner)))
      case .keyValue:
        let name = try reader.name(from: start)
        guard names.insert(name).inserted else { throw VICIFailure(.malformed(.duplicateName, at: start)) }
        message.members.append(Member(name: name, value: .bytes(try reader.value(from: start))))
      case .listStart:
        let name = try reader.name(from: start)
        guard names.insert(name).inserted else { throw VICIFailure(.malformed(.duplicateName, at: start)) }
        message.members.append(Member(name: name, value: .list(try list(from: &reader, &elements))))
      case .sectionEnd:
        guard depth > 0 else { throw VICIFailure(.malformed(.sectionEndOutsideSection, at: start)) }
        return message
      case .listItem: throw VICIFailure(.malformed(.itemOutsideList, at: start))
      case .listEnd: throw VICIFailure(.malformed(.listEndOutsideList, at: start))
      case nil:
        guard depth == 0 else { throw VICIFailure(.malformed(.sectionNotClosed, at: start)) }
        return message
      }
    }
  }

  private static func list(
    from reader: inout VICIReader, _ elements: inout Int
  ) throws(VICIFailure) -> [[UInt8]] {
    var items: [[UInt8]] = []
    while true {
      let start = reader.offset
      switch try reader.element(&elements) {
      case .listItem: items.append(try reader.value(from: start))
      case .listEnd: return items
      case .listStart: throw VICIFailure(.malformed(.listInList, at: start))
      case .keyValue: throw VICIFailure(.malformed(.keyInList, at: start))
      case .sectionStart, .sectionEnd: throw VICIFailure(.malformed(.sectionInList, at: start))
      case nil: throw VICIFailure(.malformed(.listNotClosed, at: start))
      }
    }
  }
}

extension VICIReader {
  /// Nil at the end. What opens or stands alone is counted.
  fileprivate mutating func element(_ elements: inout Int) throws(VICIFailure) -> VICIElement? {
    let start = offset
    guard let byte = byte() else { return nil }
    guard let element = VICIElement(rawValue: byte) else {
      throw VICIFailure(.malformed(.unknownElement(byte), at: start))
    }
    if element != .sectionEnd && element != .listEnd {
      elements += 1
      guard elements <= VICIMessage.maximumElements else { throw VICIFailure(.malformed(.tooManyElements, at: start)) }
    }
    return element
  }
}
