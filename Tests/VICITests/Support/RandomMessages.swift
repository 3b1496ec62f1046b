import SeededRandom
import VICI

/// Random parts of VICI messages.
extension SeededRandom {
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  mutating func bytes(upTo bound: Int) -> [UInt8] {
    (0..<below(bound)).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  mutating func name() -> String {
    let letters = ["a", "b", "-", "_", " ", ".", "7", "ü", "漢"]
    return (0..<below(4)).map { _ in letters[below(letters.count)] }.joined()
  }

  mutating func message(depth: Int = 0) -> VICIMessage {
    var message = VICIMessage()
    for _ in 0..<below(6) {
      let name = name()
      switch below(depth < 5 ? 4 : 3) {
      case 0, 1: message.set(name, bytes: bytes(upTo: 40))
      case 2: message.set(name, (0..<below(4)).map { _ in self.name() })
      default:
        let inner = self.message(depth: depth + 1)
        message.section(name) { $0 = inner }
      }
    }
    return message
  }
}
