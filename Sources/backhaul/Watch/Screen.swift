internal import Glibc
internal
  /// A person's terminal, taken over: the alternate screen, every key at once, no cursor. Given back when this goes.
  struct Screen: ~Copyable
{
  private let before: termios
  private let signalsBefore: sigset_t

  /// What happened while nothing was drawn.
  enum Happening { case keys([Key]), ended, nothing }

  /// Nil if standard input and output are not a terminal.
  static func take() -> Screen? {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
    var before = termios()
    guard tcgetattr(STDIN_FILENO, &before) == 0 else { return nil }
    var mode = before
    cfmakeraw(&mode)
    // A line feed still starts a line.
    mode.c_oflag |= tcflag_t(OPOST)
    guard tcsetattr(STDIN_FILENO, TCSANOW, &mode) == 0 else { return nil }
    return Screen(before: before)
  }

  private init(before: termios) {
    self.before = before
    // A signal must not leave the terminal like this: it waits until the terminal is restored.
    var signals = Self.ending
    var present = sigset_t()
    sigprocmask(SIG_BLOCK, &signals, &present)
    signalsBefore = present
    Self.write("\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J")
  }

  deinit {
    Self.write("\u{1b}[?25h\u{1b}[?1049l")
    var mode = before
    tcsetattr(STDIN_FILENO, TCSANOW, &mode)
    // One that waits ends the process here.
    var signals = signalsBefore
    sigprocmask(SIG_SETMASK, &signals, nil)
  }

  private static var ending: sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGTERM, SIGHUP, SIGINT, SIGQUIT] { sigaddset(&signals, number) }
    return signals
  }

  private static var isEnded: Bool {
    var waiting = sigset_t()
    sigpending(&waiting)
    return [SIGTERM, SIGHUP, SIGINT, SIGQUIT].contains { sigismember(&waiting, $0) == 1 }
  }

  /// Columns and lines; 80 by 24 where the terminal does not say.
  var size: (columns: Int, lines: Int) {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// In place of what is there. Nothing is cleared first: that would flicker.
  func draw(_ lines: [String]) {
    let body = lines.map { "\($0)\u{1b}[K" }.joined(separator: "\r\n")
    Self.write("\u{1b}[H\(body)\u{1b}[J")
  }

  /// Waits for keys, and no longer than this many milliseconds.
  func wait(milliseconds: Int) -> Happening {
    var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    let ready = poll(&input, 1, Int32(clamping: max(0, milliseconds)))
    if Self.isEnded { return .ended }
    if ready < 0 { return errno == EINTR ? .nothing : .ended }
    guard ready > 0 else { return .nothing }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(STDIN_FILENO, &bytes, bytes.count)
    guard count > 0 else { return count < 0 && errno == EINTR ? .nothing : .ended }
    return .keys(Key.read(Array(bytes.prefix(count))))
  }

  private static func write(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      guard count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN)) else { return }
      rest = rest.dropFirst(max(0, count))
    }
  }
}
