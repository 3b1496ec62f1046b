internal import Core
internal import Glibc
internal import RuleSets

/// Per-interface sysctls, as files under /proc/sys.
enum SettingFiles {
  static func path(_ setting: InterfaceSetting) -> String {
    let parts = setting.key.rawValue.split(separator: "/").map { $0 == "IF" ? setting.interface.text : String($0) }
    return "/proc/sys/" + parts.joined(separator: "/")
  }

  /// Nil if there is no such interface or no such setting (a kernel without IPv6).
  static func read(_ setting: InterfaceSetting) throws(SystemCallFailure) -> Int? {
    let path = path(setting)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 && errno == ENOENT { return nil }
    let file = try FileDescriptor.adopting(descriptor, "open \(path)")
    // A sign, ten digits and a newline.
    var buffer = [UInt8](repeating: 0, count: 32)
    let count = Glibc.read(file.number, &buffer, buffer.count)
    guard count >= 0 else { throw SystemCallFailure.last("read \(path)") }
    let text = String(decoding: buffer[..<count].prefix { $0 > 0x20 }, as: UTF8.self)
    guard let value = Int(text) else { throw SystemCallFailure("read \(path)", cause: "not a number: \(text)") }
    return value
  }

  static func write(_ setting: InterfaceSetting, _ value: Int) throws(SystemCallFailure) {
    let path = path(setting)
    let file = try FileDescriptor.adopting(open(path, O_WRONLY | O_CLOEXEC), "open \(path)")
    let text = Array("\(value)\n".utf8)
    guard Glibc.write(file.number, text, text.count) == text.count else {
      throw SystemCallFailure.last("write \(path)")
    }
  }
}
