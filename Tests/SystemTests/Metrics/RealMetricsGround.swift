import Agent
import Core
import Fakes
import FoundationEssentials
import Glibc
internal import RuleSets
import Synchronization

@testable import System

/// A folder with the file, and with the socket unless a loopback port is used.
final class RealMetricsGround: MetricsGround {
  private let folder: Folder
  private let listener: MetricsConfiguration.Listener
  private let other = Mutex<(any StreamListener)?>(nil)
  private let sitting = Mutex<[Int32]>([])

  /// Each ground has its own port, because the previous one is released a moment after its test.
  private static let lastPort = Mutex<UInt16>(29_500)

  /// On a loopback port, or on a Unix socket.
  init(onPort: Bool) throws {
    // Loopback is up there.
    _ = try TestNetwork.shared()
    folder = try Folder()
    let port = Self.lastPort.withLock { port in
      port += 1
      return port
    }
    listener =
      onPort ? .loopback(IPv4Address(value: 0x7f00_0001), port: port) : .unix(path: folder.file("m.sock"))
  }

  deinit { leave() }

  let capacity = 8

  func restarted(configured: Bool) -> any MetricsPort {
    let all = MetricsConfiguration(listener: listener, textfile: folder.file("m.prom"))
    // No promise here is about the deadline, and a busy machine must not make one fail.
    return LinuxMetrics(configured ? all : MetricsConfiguration(), deadline: .seconds(60))
  }

  func scrape() async throws -> [UInt8]? {
    let listener = listener
    return try await blocking { try Self.scrape(listener) }
  }

  func sit() async throws {
    let listener = listener
    let socket = try await blocking { try Self.connected(to: listener) }
    guard let socket, send(socket, "GET /met", 8, Int32(MSG_NOSIGNAL)) == 8 else {
      throw ContractBreach("nobody lets one sit there")
    }
    sitting.withLock { $0.append(socket) }
  }

  func leave() {
    sitting.withLock { sockets in
      for socket in sockets { close(socket) }
      sockets = []
    }
  }

  func occupy() throws {
    let taken: any StreamListener =
      switch listener {
      case .loopback(let address, let port): try LoopbackListener(address, port: port)
      case .unix(let path): try UnixListener(path, group: nil)
      }
    other.withLock { $0 = taken }
  }

  func vacate() { other.withLock { $0 = nil } }

  func file() throws -> [UInt8]? {
    FileManager.default.fileExists(atPath: folder.file("m.prom")) ? try folder.bytes(of: "m.prom") : nil
  }

  func opened() throws -> () throws -> [UInt8] {
    let file = open(folder.file("m.prom"), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw ContractBreach("nobody can read the file: errno \(errno)") }
    return {
      defer { close(file) }
      return Self.rest(of: file)
    }
  }

  func isForEveryone() throws -> Bool {
    let mode = try FileManager.default.attributesOfItem(atPath: folder.file("m.prom"))[.posixPermissions] as? Int
    return mode == 0o644
  }

  /// A folder is in the place of the new page, and another, non-empty one where it would be set aside.
  func refuseWrites(_ isRefusing: Bool) throws {
    let beside = folder.file("m.prom.new")
    for path in [beside, SetAside.place(of: beside)] {
      if isRefusing {
        try FileManager.default.createDirectory(atPath: path + "/full", withIntermediateDirectories: true)
      } else {
        try FileManager.default.removeItem(atPath: path)
      }
    }
  }

  // MARK: On a thread of its own

  /// Nil if nothing listens.
  private static func connected(to listener: MetricsConfiguration.Listener) throws -> Int32? {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let number: Int32
    let isConnected: Bool
    switch listener {
    case .unix(let path):
      number = socket(AF_UNIX, type, 0)
      isConnected = try UnixAddress(path).connect(number) == 0
    case .loopback(let address, let port):
      number = socket(AF_INET, type, 0)
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = port.bigEndian
      name.sin_addr.s_addr = address.value.bigEndian
      isConnected =
        withUnsafePointer(to: name) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
          }
        } == 0
    }
    if isConnected { return number }
    close(number)
    return nil
  }

  private static func scrape(_ listener: MetricsConfiguration.Listener) throws -> [UInt8]? {
    guard let socket = try connected(to: listener) else { return nil }
    defer { close(socket) }
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    // A client too many is told so before it has asked.
    _ = send(socket, request, request.utf8.count, Int32(MSG_NOSIGNAL))
    return page(of: rest(of: socket))
  }

  /// Until it ends or fails.
  private static func rest(of descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
    }
  }

  /// The body of a 200 answer, as long as it says.
  private static func page(of answer: [UInt8]) -> [UInt8]? {
    let text = String(decoding: answer.prefix(1_024), as: UTF8.self)
    guard text.hasPrefix("HTTP/1.1 200 OK\r\n"), let end = text.firstRange(of: "\r\n\r\n") else { return nil }
    let head = text[..<end.lowerBound]
    let body = Array(answer[head.utf8.count + 4..<answer.count])
    return head.contains("\r\nContent-Length: \(body.count)\r\n") ? body : nil
  }
}
