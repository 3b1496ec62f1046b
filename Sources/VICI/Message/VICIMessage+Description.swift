// Whatever prints a message (a log, a failed test, `dump`) goes through here, and a value may be a key.

extension VICIMessage: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `{id: 7 bytes, owners: 2 items, children: {}}`
  package var description: String {
    var text = "{"
    for member in members { text += (text.utf8.count == 1 ? "" : ", ") + member.description }
    return text + "}"
  }

  package var debugDescription: String { description }

  package var customMirror: Mirror { Mirror(self, children: []) }
}

extension VICIMessage.Member: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { "\(name): \(value.description)" }

  package var debugDescription: String { description }

  package var customMirror: Mirror { Mirror(self, children: []) }
}

extension VICIMessage.Value: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String {
    switch self {
    case .bytes(let bytes): bytes.count == 1 ? "1 byte" : "\(bytes.count) bytes"
    case .list(let items): items.count == 1 ? "1 item" : "\(items.count) items"
    case .section(let section): section.description
    }
  }

  package var debugDescription: String { description }

  package var customMirror: Mirror { Mirror(self, children: []) }
}
