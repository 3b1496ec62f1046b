internal import Agent
internal import CLinux
internal import Core
internal import Glibc
internal import RuleSets

/// One run of a hook: its process, its output, its time. Used on the loop only.
final class HookProcess: @unchecked Sendable {
  /// A hook says what went wrong, and no more.
  private static let mostOutput = 4 << 10
  /// How often what is beyond is read, and thrown away: a hook that prints a little too much shall not wait for ever, and
  /// one that prints without end takes none of our time.
  private static let pauseInFlood: Duration = .milliseconds(50)

  private let process: pid_t
  private let handle: FileDescriptor
  private let output: FileDescriptor
  private let loop: Reactor
  private let done: @Sendable (HookOutcome) -> Void
  private var printed: [UInt8] = []
  private var isOverTime = false
  private var isOver = false
  private var timer: TimerID?
  private var floodTimer: TimerID?

  /// Starts it. Throws if that cannot be; `done` is called once otherwise.
  init(
    _ path: String, environment: [String], user: HookUser?, limit: Duration, on loop: Reactor,
    done: @escaping @Sendable (HookOutcome) -> Void
  ) throws(SystemCallFailure) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw SystemCallFailure.last("open a pipe") }
    let output = try FileDescriptor.adopting(ends[0], "open a pipe")
    let input = try FileDescriptor.adopting(ends[1], "open a pipe")
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(output.number, F_SETFL, O_NONBLOCK)
    process = try Self.start(path, environment, user, input.number)
    do throws(SystemCallFailure) {
      handle = try FileDescriptor.adopting(linux_process_handle(process), "watch \(path)")
    } catch {
      kill(-process, SIGKILL)
      waitpid(process, nil, 0)
      throw error
    }
    self.output = output
    self.loop = loop
    self.done = done
    do throws(SystemCallFailure) { try watch(limit) } catch {
      loop.unwatch(self.output.number)
      kill(-process, SIGKILL)
      waitpid(process, nil, 0)
      throw error
    }
  }

  private static func start(
    _ path: String, _ environment: [String], _ user: HookUser?, _ output: Int32
  ) throws(SystemCallFailure) -> pid_t {
    var variables = environment.map { strdup($0) } + [nil]
    defer { for variable in variables { free(variable) } }
    var step: Int32 = 0
    let started = path.withCString { path in
      variables.withUnsafeMutableBufferPointer { variables in
        var hook = linux_hook()
        hook.path = path
        hook.environment = UnsafePointer(variables.baseAddress)
        hook.output = output
        hook.switches_user = user == nil ? 0 : 1
        hook.user = user?.user ?? 0
        hook.group = user?.group ?? 0
        return linux_hook_start(&hook, &step)
      }
    }
    guard started < 0 else { return started }
    let error = errno
    let what = [
      "start \(path)", "start \(path)", "lead a session", "give up privileges",
      "become user \(user?.name ?? "that runs hooks")", "take the output", "run \(path)",
    ]
    throw SystemCallFailure(what.indices.contains(Int(step)) ? what[Int(step)] : "start \(path)", errno: error)
  }

  private func watch(_ limit: Duration) throws(SystemCallFailure) {
    try loop.watch(output.number, for: .readable) { [self] _ in read() }
    try loop.watch(handle.number, for: .readable) { [self] _ in ended() }
    timer = loop.at(loop.now + limit) { [self] _ in
      timer = nil
      isOverTime = true
      kill(-process, SIGKILL)
    }
  }

  /// Ends it before its time.
  func stop() {
    if !isOver { kill(-process, SIGKILL) }
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = Glibc.read(output.number, &buffer, buffer.count)
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0 else { return loop.unwatch(output.number) }
    printed += buffer[..<count].prefix(Self.mostOutput - printed.count)
    guard printed.count == Self.mostOutput else { return }
    loop.unwatch(output.number)
    floodTimer = loop.at(loop.now + Self.pauseInFlood) { [self] _ in
      floodTimer = nil
      // Where this fails it waits for its time to be over.
      try? loop.watch(output.number, for: .readable) { [self] _ in read() }
    }
  }

  private func ended() {
    isOver = true
    loop.unwatch(handle.number)
    if let timer { loop.cancel(timer) }
    // While it is not waited for, its number is its own: what it has left behind is ended, and nobody else.
    kill(-process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    read()
    loop.unwatch(output.number)
    if let floodTimer { loop.cancel(floodTimer) }
    done(HookOutcome(isOverTime ? .overTime : Self.end(status), output: HookOutput.lines(printed)))
  }

  /// WIFEXITED and its like are macros.
  private static func end(_ status: Int32) -> HookOutcome.End {
    let signal = status & 0x7f
    return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
  }
}

/// Who an agent that is root has hooks run as.
struct HookUser: Equatable, Sendable {
  var name: String
  var user: UInt32
  var group: UInt32

  /// `nobody` where no user is wanted.
  static func find(_ wanted: String?) throws(SystemCallFailure) -> HookUser {
    let name = wanted ?? "nobody"
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16 << 10)
    let error = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
    guard error == 0 else { throw SystemCallFailure("find user \(name)", errno: error) }
    guard found != nil else { throw SystemCallFailure("find user \(name)", cause: "there is no such user") }
    guard entry.pw_uid != 0 else { throw SystemCallFailure("run hooks as \(name)", cause: "this is root") }
    return HookUser(name: name, user: entry.pw_uid, group: entry.pw_gid)
  }
}
