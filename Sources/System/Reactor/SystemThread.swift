internal import CLinux
internal import Glibc

/// A thread of our own, for work that must stay on one thread or must not share the default executor's few.
enum SystemThread {
  /// Our loops recurse nowhere; 512 KiB leaves room for a JSON reply and for C libraries (libcurl with OpenSSL: < 100 KiB).
  static let stackBytes = 512 << 10

  /// Runs `body` on a new detached thread with this name (15 bytes at most are shown by `ps -L`), all signals blocked.
  static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemCallFailure) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackBytes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))

    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    // `@Sendable`: without it the closure would inherit the caller's isolation and trap on the new thread.
    let result = pthread_create(
      &thread, &attributes,
      { @Sendable argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        linux_thread_block_signals()
        linux_thread_name(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    guard result == 0 else {
      start.release()
      throw SystemCallFailure("start thread \(name)", errno: result)
    }
  }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      // The kernel refuses a longer name instead of cutting it.
      self.name = String(decoding: name.utf8.prefix(15), as: UTF8.self)
      self.body = body
    }
  }
}
