internal import Core
internal import Glibc
internal import Logging
internal import Synchronization

/// Log lines as datagrams with fields. If the receiver is slow, lines are lost; if it is gone, they go to standard
/// error. Logging never waits.
struct DatagramLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info
  private let socket: LogSocket
  private let encode: @Sendable (LogRecord) -> [UInt8]
  private let lost = Lost()

  private final class Lost: Sendable { let count = Atomic<Int>(0) }

  init(_ socket: LogSocket, encode: @escaping @Sendable (LogRecord) -> [UInt8]) {
    self.socket = socket
    self.encode = encode
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let record = LogRecord(
      Self.severity(event.level), "\(event.message)", fields: fields.map { .init($0.key, "\($0.value)") })
    let before = lost.count.exchange(0, ordering: .relaxed)
    if before > 0 {
      let note = LogRecord(.warning, "\(before) lines of the log were lost, because nobody read them")
      if !socket.send(encode(note)) { lost.count.add(before, ordering: .relaxed) }
    }
    if socket.send(encode(record)) { return }
    if errno == EAGAIN || errno == ENOBUFS {
      lost.count.add(1, ordering: .relaxed)
    } else {
      let line = "\(event.level): \(record.text)\n"
      _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
  }

  private static func severity(_ level: Logger.Level) -> AgentEvent.Severity {
    switch level {
    case .trace, .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error, .critical: .error
    }
  }
}
