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
  /// Five are the most that charon nests (child-rekey's `old` and `new`).
  package static let maximumDepth = 16

  /// Keys, lists, their items, and sections. An IKE_SA with 500 CHILD_SAs, which is what a packet has room for, makes
  /// 25,000; a packet of nothing but empty items would make 170,000.
  package static let maximumElements = 1 << 16
}
