import FoundationEssentials

/// Tests/servers/bad_server.py on a port of its own.
final class BadServer: Sendable {
  let port: UInt16
  private let process: TestProcess

  static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "servers/bad_server.py").path

  convenience init(_ options: String..., within enter: [String] = []) throws {
    try self.init(options: options, within: enter)
  }

  init(options: [String], within enter: [String] = []) throws {
    process = try TestProcess(enter + ["python3", Self.script, "--until-eof"] + options)
    guard let line = process.line(), line.hasPrefix("listening "), let port = UInt16(line.dropFirst(10)) else {
      throw TestProcess.Failure(description: "bad_server.py does not listen")
    }
    self.port = port
  }

  func url(_ path: String) -> String { "http://127.0.0.1:\(port)/\(path)" }

  deinit { process.finish() }
}
