package import Core
internal import Glibc
package import Logging

/// Who writes the log's lines.
package struct LogWriter: Sendable {
  package var handler: any LogHandler
  /// Whether it keeps metadata apart from the text.
  package var keepsFields: Bool
  /// Why it is not the target that the configuration asks for; nil if it is.
  package var trouble: String?
}

extension LogTarget {
  /// Never fails: where the target cannot be opened, the log goes to standard error and `trouble` says why.
  package func writer(_ label: String) -> LogWriter {
    do throws(SystemCallFailure) {
      switch self {
      case .stderr: return Self.plain(label)
      case .auto where !Self.isJournal(STDERR_FILENO): return Self.plain(label)
      case .auto, .journal: return LogWriter(handler: try Self.journal(), keepsFields: true)
      case .syslog(let receiver): return LogWriter(handler: try Self.syslog(receiver), keepsFields: true)
      }
    } catch {
      return Self.plain(label, "the log goes to standard error: \(error)")
    }
  }

  private static func plain(_ label: String, _ trouble: String? = nil) -> LogWriter {
    LogWriter(handler: StreamLogHandler.standardError(label: label), keepsFields: false, trouble: trouble)
  }

  private static func journal() throws(SystemCallFailure) -> DatagramLogHandler {
    DatagramLogHandler(try LogSocket(.unix(path: "/run/systemd/journal/socket"))) { JournalMessage.encode($0) }
  }

  private static func syslog(_ receiver: SyslogReceiver) throws(SystemCallFailure) -> DatagramLogHandler {
    let place: LogSocket.Receiver =
      switch receiver {
      case .unix(let path): .unix(path: path)
      case .udp(let address, let port): .udp(address, port: port)
      }
    let process = getpid()
    let host = hostName()
    return DatagramLogHandler(try LogSocket(place)) {
      SyslogMessage.encode($0, at: WallClock.now, host: host, process: process)
    }
  }

  /// JOURNAL_STREAM names the device and inode of the journal's stream (systemd.exec(5)); the descriptor may have been
  /// redirected since.
  static func isJournal(_ descriptor: Int32) -> Bool {
    guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  private static func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
