internal import Core
internal import Glibc
internal import RuleSets
internal import System

/// What `--watch` prints: on a terminal one page in place of the last, elsewhere one below the other.
struct Page {
  /// Lines for a program: nothing between them.
  let isBare: Bool
  /// Seconds.
  let every: Int
  private let isTerminal = isatty(STDOUT_FILENO) == 1

  init(isBare: Bool, every: Int) {
    self.isBare = isBare
    self.every = every
  }

  mutating func show(_ lines: [String]) {
    if isBare {
      for line in lines { print(line) }
    } else if isTerminal {
      // Home, and clear to the end of each line and of the page: a page cleared at first would flicker.
      let body = ([heading, ""] + lines).map { "\($0)\u{1b}[K\n" }.joined()
      print("\u{1b}[H\(body)\u{1b}[J", terminator: "")
    } else {
      for line in [heading] + lines + [""] { print(line) }
    }
    fflush(nil)
  }

  mutating func show(trouble: String) {
    if isBare || !isTerminal { printError("backhaul: \(trouble)") } else { show([trouble]) }
  }

  private var heading: String { "every \(every) s, \(WallClock.now.text); Ctrl-C ends it" }
}
