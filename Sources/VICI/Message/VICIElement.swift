/// The first byte of each element of a message.
enum VICIElement: UInt8 {
  case sectionStart = 1
  case sectionEnd = 2
  case keyValue = 3
  case listStart = 4
  case listItem = 5
  case listEnd = 6
}

extension VICIMessage {
  /// charon nests five levels at most (child-rekey's `old` and `new`).
  package static let maximumDepth = 16

  /// The limit for keys, lists, their items and sections together. An IKE_SA with 500 CHILD_SAs, as many as fit in a
  /// packet, has 25,000; a packet of nothing but empty items would have 170,000.
  package static let maximumElements = 1 << 16
}
