internal import CLinux

/// A thread of our own, for work that must stay on one thread or must not share the default executor's few.
enum SystemThread {
  /// Our loops recurse nowhere; 512 KiB leaves room for a JSON reply.
  static let stackBytes = 512 << 10

  /// Runs `body` on a new detached thread with this name (`ps -L` shows 15 bytes), all signals blocked.
  static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemCallFailure) {
    let boxed = Unmanaged.passRetained(Body(body))
    // `@Sendable`: without it the closure would inherit the caller's isolation and trap on the new thread.
    let error = linux_thread_start(
      name, stackBytes,
      { @Sendable argument in
        guard let argument else { return }
        Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
      }, boxed.toOpaque())
    guard error == 0 else {
      boxed.release()
      throw SystemCallFailure("start thread \(name)", errno: error)
    }
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
