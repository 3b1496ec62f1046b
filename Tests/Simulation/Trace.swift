/// The last lines of what happened.
package final class Trace {
  private let capacity: Int
  let showsProbes: Bool
  private var ring: [String] = []
  private var count = 0

  package init(capacity: Int, showsProbes: Bool) {
    self.capacity = capacity
    self.showsProbes = showsProbes
  }

  func add(_ time: Nanoseconds, _ text: String) {
    let micros = time / microsecond
    let fraction = String(micros % 1_000_000)
    let line = "\(micros / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)  \(text)"
    if ring.count < capacity { ring.append(line) } else { ring[count % capacity] = line }
    count += 1
  }

  /// Oldest first.
  package var lines: [String] {
    count <= capacity ? ring : Array(ring[(count % capacity)...] + ring[..<(count % capacity)])
  }
}
