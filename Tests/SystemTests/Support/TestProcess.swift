import Glibc
import Synchronization

/// A program that a test runs: its standard input stays open until the test ends it, its output is read line by line.
final class TestProcess: Sendable {
  let id: pid_t
  private let input: Int32
  private let output: Int32
  private let rest = Mutex<[UInt8]>([])

  struct Failure: Error, CustomStringConvertible { var description: String }

  /// One at a time: a child that is born between another's `pipe` and `FD_CLOEXEC` would keep that one's input open.
  private static let spawning = Mutex(())

  init(_ arguments: [String]) throws {
    (id, input, output) = try Self.spawning.withLock { _ in try Self.spawn(arguments) }
  }

  private static func spawn(_ arguments: [String]) throws -> (pid_t, Int32, Int32) {
    var inputs: [Int32] = [0, 0]
    var outputs: [Int32] = [0, 0]
    guard pipe(&inputs) == 0, pipe(&outputs) == 0 else { throw Failure(description: "pipe") }
    for end in [inputs[1], outputs[0]] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inputs[0], 0)
    posix_spawn_file_actions_adddup2(&actions, outputs[1], 1)
    for end in [inputs[0], outputs[1]] where end > 2 { posix_spawn_file_actions_addclose(&actions, end) }
    var argv = arguments.map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var id: pid_t = 0
    let result = posix_spawnp(&id, arguments[0], &actions, nil, &argv, environ)
    close(inputs[0])
    close(outputs[1])
    guard result == 0 else { throw Failure(description: "\(arguments[0]): \(String(cString: strerror(result)))") }
    return (id, inputs[1], outputs[0])
  }

  /// The next line of its output; nil at the end.
  func line() -> String? {
    rest.withLock { rest in
      while true {
        if let end = rest.firstIndex(of: 10) {
          defer { rest.removeFirst(end + 1) }
          return String(decoding: rest[..<end], as: UTF8.self)
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(output, &buffer, buffer.count)
        guard count > 0 else { return nil }
        rest.append(contentsOf: buffer[..<count])
      }
    }
  }

  /// Ends its input and waits for it. Its exit status, or 128 and the signal.
  @discardableResult func finish() -> Int32 {
    close(input)
    while line() != nil {}
    close(output)
    var status: Int32 = 0
    waitpid(id, &status, 0)
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }

  static func run(_ arguments: String...) throws {
    let process = try TestProcess(arguments)
    let status = process.finish()
    guard status == 0 else { throw Failure(description: "\(arguments.joined(separator: " ")): exit status \(status)") }
  }
}
