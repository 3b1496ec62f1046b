// Writes a request to charon, member by member. Setting a name again replaces its value in place.
extension VICIMessage {
  /// `VICIMessage { $0.set("name", "hub-fra") }`
  package init(_ build: (inout VICIMessage) -> Void) { build(&self) }

  /// Sets a key to the text's UTF-8.
  package mutating func set(_ name: String, _ text: String) { put(name, .bytes(Array(text.utf8))) }

  /// Sets a key to bytes that need not be text, such as a DER certificate.
  package mutating func set(_ name: String, bytes: [UInt8]) { put(name, .bytes(bytes)) }

  /// Sets a key to a decimal number.
  package mutating func set(_ name: String, _ number: Int) { set(name, String(number)) }

  /// Sets a key to `yes` or `no`.
  package mutating func set(_ name: String, _ flag: Bool) { set(name, flag ? "yes" : "no") }

  /// Sets a list of texts.
  package mutating func set(_ name: String, _ list: [String]) { put(name, .list(list.map { Array($0.utf8) })) }

  /// Sets a list whose items need not be text.
  package mutating func set(_ name: String, items: [[UInt8]]) { put(name, .list(items)) }

  /// Adds to the section of this name, and creates it first if there is none.
  package mutating func section(_ name: String, _ build: (inout VICIMessage) -> Void) {
    var inner = section(name) ?? VICIMessage()
    build(&inner)
    put(name, .section(inner))
  }

  private mutating func put(_ name: String, _ value: Value) {
    for index in members.indices
    where members[index].name == name && members[index].value.isSection == value.isSection {
      members[index].value = value
      return
    }
    members.append(Member(name: name, value: value))
  }
}
