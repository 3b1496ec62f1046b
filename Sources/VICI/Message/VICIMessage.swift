/// What charon and its clients send each other: an ordered tree of names with values ("Message format" in
/// src/libcharon/plugins/vici/README.md of strongSwan).
///
/// A value may be a key, so nothing that prints a message shows one: names and lengths only.
package struct VICIMessage: Equatable, Sendable {
  /// What a name stands for. Values are bytes to charon; that most of them are text is a convention.
  package enum Value: Equatable, Sendable {
    case bytes([UInt8])
    case list([[UInt8]])
    case section(VICIMessage)

    var isSection: Bool { if case .section = self { true } else { false } }
  }

  /// One name with its value.
  package struct Member: Equatable, Sendable {
    package let name: String
    package internal(set) var value: Value
  }

  /// No two keys or lists share a name. A section may share its name with a key (ike-updown has a flag `up` beside a
  /// connection that may be called `up`) or with another section (backends other than vici do not keep children's names
  /// unique).
  package internal(set) var members: [Member] = []

  package init() {}

  package var isEmpty: Bool { members.isEmpty }
}

// Reads what charon sends by name. A value of another kind counts as absent.
extension VICIMessage {
  /// The first key of this name; nil if there is none.
  package func bytes(_ name: String) -> [UInt8]? {
    for member in members where member.name == name { if case .bytes(let bytes) = member.value { return bytes } }
    return nil
  }

  /// The key as text. Invalid UTF-8 is repaired, because the text is only shown to people.
  package func text(_ name: String) -> String? { bytes(name).map { String(decoding: $0, as: UTF8.self) } }

  /// The key as a number. charon writes most numbers in decimal, but SPIs, marks and interface IDs in hexadecimal
  /// without a prefix.
  package func integer(_ name: String, radix: Int = 10) -> Int? { text(name).flatMap { Int($0, radix: radix) } }

  /// Whether the key is `yes`. charon leaves out most flags that are not set.
  package func flag(_ name: String) -> Bool { bytes(name) == Array("yes".utf8) }

  /// The list's items as texts; empty if it is absent, because charon leaves out empty lists.
  package func list(_ name: String) -> [String] {
    for member in members where member.name == name {
      if case .list(let items) = member.value { return items.map { String(decoding: $0, as: UTF8.self) } }
    }
    return []
  }

  /// The first section of this name.
  package func section(_ name: String) -> VICIMessage? {
    for member in members where member.name == name { if case .section(let section) = member.value { return section } }
    return nil
  }

  /// All sections in order. charon names them after connections and their children.
  package var sections: [(name: String, message: VICIMessage)] {
    members.compactMap { member in
      if case .section(let section) = member.value { (member.name, section) } else { nil }
    }
  }
}
