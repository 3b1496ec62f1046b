import CLinux

/// Runs what blocks its thread on a thread of its own. On one of the executor's few threads, it would block what it is
/// waiting for.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    let work = Unmanaged.passRetained(Work { continuation.resume(with: Result { try body() }) })
    let error = linux_thread_start(
      "blocking", 256 << 10,
      { @Sendable argument in
        guard let argument else { return }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
      }, work.toOpaque())
    if error != 0 { continuation.resume(throwing: TestProcess.Failure(description: "no thread: errno \(error)")) }
  }
}

private final class Work: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
