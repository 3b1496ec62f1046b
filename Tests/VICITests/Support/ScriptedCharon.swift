import CLinux
import Glibc
import Synchronization
import VICI

/// Listens where charon would, and treats its one client as a test says.
final class ScriptedCharon: Sendable {
  let path: String
  private let folder: String
  private let record = Record()

  /// What the client sent, as far as the script received it.
  var received: [VICIPacket] { record.packets.withLock { $0 } }

  struct Failure: Error { var call: String }

  /// Where a test is not about the timeout, a busy machine must not make it so.
  static let patience: Duration = .seconds(60)

  /// `script` runs on a thread of its own, once a client has come. The connection ends with it.
  init(_ script: @escaping @Sendable (Line) -> Void) throws {
    var template = Array("/tmp/backhaul-vici-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw Failure(call: "mkdtemp") }
    folder = String(cString: made)
    path = "\(folder)/vici"
    let listener = try Self.listen(at: path, backlog: 5)
    let work = Unmanaged.passRetained(
      Work { [record] in
        let client = accept(listener, nil, nil)
        close(listener)
        if client >= 0 { script(Line(client, record)) }
      })
    let error = linux_thread_start(
      "charon", 256 << 10,
      { @Sendable argument in
        guard let argument else { return }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
      }, work.toOpaque())
    guard error == 0 else { throw Failure(call: "linux_thread_start") }
  }

  deinit {
    unlink(path)
    rmdir(folder)
  }

  func open() throws(VICIFailure) -> VICISession {
    try VICISession.open(socketPath: path, timeout: Self.patience)
  }

  static func listen(at path: String, backlog: Int32) throws -> Int32 {
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0, Glibc.listen(listener, backlog) == 0 else { throw Failure(call: "listen") }
    return listener
  }
}

private final class Work: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private final class Record: Sendable { let packets = Mutex<[VICIPacket]>([]) }

/// The scripted side of a connection. It blocks.
final class Line {
  private let socket: Int32
  private let record: Record
  private var frames = VICIFrames()

  fileprivate init(_ socket: Int32, _ record: Record) {
    self.socket = socket
    self.record = record
  }

  deinit { close(socket) }

  /// Nil if the client is gone.
  @discardableResult func receive() -> VICIPacket? {
    while true {
      if let frame = try? frames.next() {
        guard let packet = try? VICIPacket(decoding: frame) else { return nil }
        record.packets.withLock { $0.append(packet) }
        return packet
      }
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      frames.append(Array(buffer[..<count]))
    }
  }

  /// False if the client is gone.
  @discardableResult func send(_ packets: VICIPacket...) -> Bool {
    send(raw: packets.flatMap { Self.frame($0) })
  }

  @discardableResult func send(raw bytes: [UInt8]) -> Bool {
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

  static func frame(_ packet: VICIPacket) -> [UInt8] { (try? packet.encoded()).map(VICIFrames.encode) ?? [] }
}
