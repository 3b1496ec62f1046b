package import RuleSets

/// Where the log goes.
package enum LogTarget: Equatable, Sendable {
  /// To the journal with fields where standard error is the journal's, else to standard error.
  case auto
  case stderr
  case journal
  case syslog(SyslogReceiver)
}

/// Who takes syslog.
package enum SyslogReceiver: Equatable, Sendable {
  /// A Unix socket of datagrams.
  case unix(path: String)
  case udp(IPv4Address, port: UInt16)

  package static let standard = SyslogReceiver.unix(path: "/dev/log")
}

enum LogTargetReader {
  private enum Word: String, CaseIterable, Sendable { case auto, stderr, journal, syslog }

  static func read(_ fields: FieldReader) -> LogTarget? {
    let word = fields.value("target", Form<Word>.choice(), default: .auto)
    let receiver = fields.value("syslog", receiverForm, default: .standard)
    if fields["syslog"] != nil, let word, word != .syslog {
      fields.complain("syslog", "applies only to target = \"syslog\"")
    }
    guard let word, let receiver else { return nil }
    return switch word {
    case .auto: .auto
    case .stderr: .stderr
    case .journal: .journal
    case .syslog: .syslog(receiver)
    }
  }

  private static let receiverForm = Form<SyslogReceiver>(
    "the absolute path of a Unix socket such as /dev/log, or an IPv4 address and a UDP port such as 192.0.2.1:514"
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    if text.hasPrefix("/") {
      switch Form.absolutePath(atMost: 107).read(value) {
      case .value(let path): return .value(.unix(path: path))
      case .refused(let hint): return .refused(hint: hint)
      case .refusedSecret(let hint): return .refusedSecret(hint)
      }
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard let address = IPv4Address(parts[0]), address.isHost || address.isLoopback else { return .refused() }
    guard parts.count == 2, let port = UInt16(parts[1]), port > 0, parts[1].utf8.first != UInt8(ascii: "+") else {
      return .refused(hint: "with a port from 1 to 65535")
    }
    return .value(.udp(address, port: port))
  }
}
