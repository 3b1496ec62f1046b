extension VICIMessage {
  /// The message's bytes without the packet's head. Throws if a name or value is too long, or the message is too deep
  /// or too large to be read back.
  package func encoded() throws(VICIFailure) -> [UInt8] {
    var writer = VICIWriter()
    try encode(to: &writer)
    return try writer.finish()
  }

  /// Under the bounds that decoding has, so that what we write can be read.
  func encode(to writer: inout VICIWriter) throws(VICIFailure) {
    var elements = 0
    try encode(to: &writer, depth: 0, &elements)
  }

  private func encode(to writer: inout VICIWriter, depth: Int, _ elements: inout Int) throws(VICIFailure) {
    for member in members {
      elements += 1
      switch member.value {
      case .bytes(let bytes):
        writer.byte(VICIElement.keyValue.rawValue)
        try writer.name(member.name)
        try writer.value(bytes, of: member.name)
      case .list(let items):
        elements += items.count
        writer.byte(VICIElement.listStart.rawValue)
        try writer.name(member.name)
        for item in items {
          writer.byte(VICIElement.listItem.rawValue)
          try writer.value(item, of: member.name)
        }
        writer.byte(VICIElement.listEnd.rawValue)
      case .section(let section):
        guard depth < Self.maximumDepth else { throw VICIFailure(.unencodable(.tooDeep)) }
        writer.byte(VICIElement.sectionStart.rawValue)
        try writer.name(member.name)
        try section.encode(to: &writer, depth: depth + 1, &elements)
        writer.byte(VICIElement.sectionEnd.rawValue)
      }
      guard elements <= Self.maximumElements else { throw VICIFailure(.unencodable(.tooManyElements)) }
    }
  }
}
