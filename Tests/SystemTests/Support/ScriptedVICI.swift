import CLinux
import Glibc
import Synchronization
import VICI

/// Listens where charon would. Every client gets a thread that follows the script for that kind of client.
final class ScriptedVICI: Sendable {
  let folder: Folder
  var path: String { folder.file("vici") }

  /// A well-behaved charon's answers, by command.
  static func answer(_ command: String) -> VICIMessage {
    VICIMessage {
      switch command {
      case "version":
        $0.set("daemon", "charon-scripted")
        $0.set("version", "6.0")
      case "get-algorithms": $0.section("encryption") { $0.set("AES_CBC", "aes") }
      default: $0.set("success", true)
      }
    }
  }

  /// Each packet that comes is answered by what `respond` gives, after which the connection goes on; nil ends it.
  convenience init(
    _ respond: @escaping @Sendable (VICIPacket, borrowing VICILine) -> [VICIPacket]?
  ) throws {
    try self.init(serving: { line in
      while let packet = line.receive() {
        guard let answers = respond(packet, line) else { return }
        for answer in answers where !line.send(answer) { return }
      }
    })
  }

  init(serving serve: @escaping @Sendable (borrowing VICILine) -> Void) throws {
    folder = try Folder()
    let listener = try Self.listen(at: folder.file("vici"))
    try Self.onThread {
      while true {
        // A child that another test starts now must not keep the connection open after it ends here.
        let client = linux_accept(listener)
        guard client >= 0 else { return }
        _ = fcntl(client, F_SETFL, 0)
        try? Self.onThread { serve(VICILine(client)) }
      }
    }
    self.listener = listener
  }

  private let listener: Int32

  // Wakes the thread that waits there.
  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  private static func listen(at path: String) throws -> Int32 {
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0, Glibc.listen(listener, 64) == 0 else {
      throw TestProcess.Failure(description: "listen: \(errno)")
    }
    return listener
  }

  private static func onThread(_ body: @escaping @Sendable () -> Void) throws {
    let work = Unmanaged.passRetained(ThreadBody(body))
    let error = linux_thread_start(
      "scripted", 256 << 10,
      { @Sendable argument in
        guard let argument else { return }
        Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
      }, work.toOpaque())
    guard error == 0 else { throw TestProcess.Failure(description: "no thread: errno \(error)") }
  }
}

private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// The scripted side of one connection. It blocks.
struct VICILine: ~Copyable {
  private let socket: Int32
  private let frames = Frames()

  private final class Frames { var frames = VICIFrames() }

  fileprivate init(_ socket: Int32) { self.socket = socket }
  deinit { close(socket) }

  /// Nil if the client is gone.
  func receive() -> VICIPacket? {
    while true {
      if let frame = try? frames.frames.next() { return try? VICIPacket(decoding: frame) }
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      frames.frames.append(Array(buffer[..<count]))
    }
  }

  /// False if the client is gone.
  func send(_ packet: VICIPacket) -> Bool {
    guard let bytes = try? packet.encoded() else { return false }
    return send(raw: VICIFrames.encode(bytes))
  }

  func send(raw bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Until the client closes.
  func wait() { while receive() != nil {} }
}
