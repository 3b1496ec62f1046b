internal import CCurl
internal import CLinux
internal import Synchronization

/// Runs all transfers on one thread with libcurl's multi interface: there is no thread per request, and a cancellation
/// ends its transfer within a millisecond.
///
/// The thread begins with the first transfer, and loads libcurl then. With the 25 libraries that it needs, libcurl takes
/// eight megabytes, which a router without a web source and HTTP probes does not spend.
package final class TransferEngine: Sendable {
  /// Called once for each transfer, on the engine's thread, or on the caller's where the engine has stopped. Must not
  /// block.
  package typealias Completion = @Sendable (Result<TransferResponse, TransferFailure>) -> Void

  /// One transfer that was started.
  package struct Ticket: Hashable, Sendable {
    fileprivate let number: UInt64
  }

  private enum Command {
    case start(UInt64, TransferRequest, Completion)
    case cancel(UInt64)
    case stop
  }

  private struct Inbox {
    var commands: [Command] = []
    var lastNumber: UInt64 = 0
    /// The thread is there, or was.
    var hasThread = false
    var isStopped = false
    /// Where the thread may be waiting for sockets.
    var multi: Multi?
  }

  /// curl_multi_wakeup is the one function of the multi interface that any thread may call; the others are called on
  /// the engine's thread only.
  private struct Multi: @unchecked Sendable { let pointer: UnsafeMutableRawPointer }

  private let inbox = Mutex(Inbox())

  /// libcurl and OpenSSL on top of it need less than 100 KiB of stack; the rest is room.
  private static let stackBytes = 512 << 10
  /// Why libcurl cannot be used; nil when it is loaded and ready. Loads it.
  package static let libraryTrouble: String? = {
    if let trouble = curl_library_trouble() { return String(cString: trouble) }
    let code = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
    return code == CURLE_OK ? nil : String(cString: curl_easy_strerror(code))
  }()

  package init() {}

  private static func unusable(_ trouble: String) -> TransferFailure {
    .notStarted("libcurl does not start: \(trouble); once it does, restart backhaul")
  }

  /// Loads libcurl on the engine's thread, so that the first transfer does not have to wait for it.
  package func prepare() {
    let isFirst = inbox.withLock { inbox in
      guard !inbox.isStopped, !inbox.hasThread else { return false }
      inbox.hasThread = true
      return true
    }
    if isFirst { startThread() }
  }

  deinit {
    let multi = inbox.withLock { $0.multi }
    if let multi { curl_multi_cleanup(multi.pointer) }
  }

  /// Starts a transfer. `completion` is called once, on the engine's thread, and must not block.
  package func start(_ request: TransferRequest, _ completion: @escaping Completion) -> Ticket {
    let (number, isFirst) = inbox.withLock { inbox -> (UInt64?, Bool) in
      guard !inbox.isStopped else { return (nil, false) }
      defer { inbox.hasThread = true }
      inbox.lastNumber += 1
      inbox.commands.append(.start(inbox.lastNumber, request, completion))
      return (inbox.lastNumber, !inbox.hasThread)
    }
    guard let number else {
      completion(.failure(.cancelled))
      return Ticket(number: 0)
    }
    if isFirst { startThread() } else { wake() }
    return Ticket(number: number)
  }

  private func startThread() {
    let engine = Unmanaged.passRetained(self)
    let error = linux_thread_start(
      "curl", Self.stackBytes,
      { @Sendable argument in
        guard let argument else { return }
        Unmanaged<TransferEngine>.fromOpaque(argument).takeRetainedValue().run()
      }, engine.toOpaque())
    guard error != 0 else { return }
    engine.release()
    // The next transfer tries again.
    let commands = inbox.withLock { inbox in
      inbox.hasThread = false
      return Self.take(&inbox)
    }
    refuse(commands, .notStarted("no thread: \(String(cString: linux_error_text(error)))"))
  }

  private func wake() {
    // Under the lock: the thread takes the handle away under it.
    inbox.withLock { inbox in
      if let multi = inbox.multi { curl_multi_wakeup(multi.pointer) }
    }
  }

  private static func take(_ inbox: inout Inbox) -> [Command] {
    defer { inbox.commands.removeAll(keepingCapacity: inbox.commands.capacity <= 1024) }
    return inbox.commands
  }

  private func refuse(_ commands: [Command], _ failure: TransferFailure) {
    for case .start(_, _, let completion) in commands { completion(.failure(failure)) }
  }

  /// Ends the transfer with `.cancelled`. One that is complete is ignored.
  package func cancel(_ ticket: Ticket) { post(.cancel(ticket.number)) }

  /// Cancels running transfers and ends the thread. Transfers started later fail with `.cancelled`.
  package func stop() {
    post(.stop)
  }

  /// Ends with `.cancelled` where the task is cancelled.
  package func perform(_ request: TransferRequest) async throws(TransferFailure) -> TransferResponse {
    let state = CallState()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation {
        (continuation: CheckedContinuation<Result<TransferResponse, TransferFailure>, Never>) in
        guard !state.isCancelled else { return continuation.resume(returning: .failure(.cancelled)) }
        let ticket = start(request) { continuation.resume(returning: $0) }
        // Cancelled between the look above and now: nobody else knew the ticket.
        if !state.started(ticket) { cancel(ticket) }
      }
    } onCancel: {
      if let ticket = state.cancelled() { cancel(ticket) }
    }
    return try result.get()
  }

  /// One call's start and cancellation, which may come in either order.
  private final class CallState: Sendable {
    private let state = Mutex<(ticket: Ticket?, isCancelled: Bool)>((nil, false))

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// False if it was cancelled before.
    func started(_ ticket: Ticket) -> Bool {
      state.withLock {
        $0.ticket = ticket
        return !$0.isCancelled
      }
    }

    func cancelled() -> Ticket? {
      state.withLock {
        $0.isCancelled = true
        return $0.ticket
      }
    }
  }

  private func post(_ command: Command) {
    inbox.withLock { inbox in
      guard !inbox.isStopped else { return }
      if case .stop = command { inbox.isStopped = true }
      // Without a thread nothing runs that could be ended.
      if inbox.hasThread { inbox.commands.append(command) }
    }
    wake()
  }

  // MARK: The thread

  private func run() {
    do throws(TransferFailure) {
      if let trouble = Self.libraryTrouble { throw Self.unusable(trouble) }
      guard let pointer = curl_multi_init() else { throw Self.unusable("no memory") }
      serve(Multi(pointer: pointer))
    } catch {
      // The thread ends, and the next transfer tries again.
      let commands = inbox.withLock { inbox in
        inbox.hasThread = false
        return Self.take(&inbox)
      }
      refuse(commands, error)
    }
  }

  private func serve(_ multi: Multi) {
    inbox.withLock { $0.multi = multi }
    var live: [UInt64: EasyHandle] = [:]
    while true {
      for command in inbox.withLock({ Self.take(&$0) }) {
        switch command {
        case .start(let number, let request, let completion): start(number, request, completion, multi, &live)
        case .cancel(let number): end(number, .cancelled, multi, &live)
        case .stop:
          for number in Array(live.keys) { end(number, .cancelled, multi, &live) }
          return
        }
      }
      var running: Int32 = 0
      curl_multi_perform(multi.pointer, &running)
      collect(multi, &live)
      // Woken by sockets, by libcurl's own timers and by `curl_multi_wakeup`; a minute is only a bound.
      curl_multi_poll(multi.pointer, nil, 0, 60_000, nil)
    }
  }

  private func start(
    _ number: UInt64, _ request: TransferRequest, _ completion: @escaping Completion, _ multi: Multi,
    _ live: inout [UInt64: EasyHandle]
  ) {
    guard let handle = EasyHandle(number, request, completion) else {
      return completion(.failure(.notStarted("out of memory")))
    }
    do throws(TransferFailure) {
      try handle.configure()
    } catch {
      return handle.finish(error)
    }
    guard curl_multi_add_handle(multi.pointer, handle.pointer) == CURLM_OK else {
      return handle.finish(.notStarted("libcurl refuses the transfer"))
    }
    live[number] = handle
  }

  private func end(_ number: UInt64, _ failure: TransferFailure, _ multi: Multi, _ live: inout [UInt64: EasyHandle]) {
    guard let handle = live.removeValue(forKey: number) else { return }
    curl_multi_remove_handle(multi.pointer, handle.pointer)
    handle.finish(failure)
  }

  private func collect(_ multi: Multi, _ live: inout [UInt64: EasyHandle]) {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi.pointer, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
      // Read before the handle is removed, which frees the message.
      let code = curl_message_result(message)
      var context: UnsafeMutableRawPointer?
      curl_get_pointer(easy, CURLINFO_PRIVATE, &context)
      curl_multi_remove_handle(multi.pointer, easy)
      guard let handle = EasyHandle.behind(context) else { continue }
      live[handle.number] = nil
      handle.finish(code)
    }
  }
}
