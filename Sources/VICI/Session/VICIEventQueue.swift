/// Events that arrived while something else was waited for. The newest are kept: they show the present state.
struct VICIEventQueue {
  /// charon raises one or two for each SA that comes or goes; a router has tens.
  static let maximumCount = 4096
  /// In the bytes of their packets.
  static let maximumBytes = 1 << 20

  private var events: [(name: String, message: VICIMessage, bytes: Int)] = []
  private var bytes = 0

  var isEmpty: Bool { events.isEmpty }

  /// False if older ones had to be dropped.
  mutating func append(_ name: String, _ message: VICIMessage, bytes: Int) -> Bool {
    var hasRoom = true
    while !events.isEmpty, events.count >= Self.maximumCount || self.bytes + bytes > Self.maximumBytes {
      _ = removeFirst()
      hasRoom = false
    }
    events.append((name, message, bytes))
    self.bytes += bytes
    return hasRoom
  }

  mutating func removeFirst() -> (name: String, message: VICIMessage)? {
    guard !events.isEmpty else { return nil }
    let first = events.removeFirst()
    bytes -= first.bytes
    return (first.name, first.message)
  }
}
