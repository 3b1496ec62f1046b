internal import RuleSets

/// `[hooks]`: the operator's own programs that are run when something happens.
package struct HooksConfiguration: Equatable, Sendable {
  package var directory: String
  /// For one run; a hook that takes longer is killed.
  package var timeLimit: Duration
  /// Who they run as where the agent is root; nil: `nobody`. Elsewhere the service that runs them says it.
  package var user: String?

  package init(
    directory: String = "/etc/backhaul/hooks.d", timeLimit: Duration = .seconds(10), user: String? = nil
  ) {
    self.directory = directory
    self.timeLimit = timeLimit
    self.user = user
  }
}

enum HooksConfigurationReader {
  static func read(_ top: FieldReader) -> HooksConfiguration? {
    let standard = HooksConfiguration()
    guard let value = top["hooks"] else { return standard }
    let keys = ["directory", "time_limit_seconds", "user"]
    guard let fields = FieldReader(value, at: "hooks", keys: keys, book: top.book) else { return nil }
    let directory = fields.value("directory", .absolutePath(atMost: 3_800), default: standard.directory)
    let limit = fields.value("time_limit_seconds", .seconds(1...300), default: standard.timeLimit)
    let user = fields.optional("user", userForm)
    guard let directory, let limit else { return nil }
    return HooksConfiguration(directory: directory, timeLimit: limit, user: user)
  }

  private static let userForm = Form<String>("the name of a user other than root") { value in
    guard case .string(let text) = value, (1...32).contains(text.utf8.count) else { return .refused() }
    if text == "root" { return .refused(hint: "hooks run without any privileges") }
    let isName = text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")].contains(byte)
    }
    return isName ? .value(text) : .refused()
  }
}
