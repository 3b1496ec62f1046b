internal import CLinux

/// Numbers that nobody can guess, drawn from the kernel 32 at a time: for one alone the call costs more than its number.
struct Nonces {
  private var drawn: [UInt64] = []

  mutating func next() -> UInt64 {
    if drawn.isEmpty {
      drawn = Array(repeating: 0, count: 32)
      let isDrawn = drawn.withUnsafeMutableBytes { linux_random($0.baseAddress, $0.count) } == 0
      if !isDrawn { drawn = [UInt64.random(in: 0 ... .max)] }
    }
    return drawn.removeLast()
  }
}
