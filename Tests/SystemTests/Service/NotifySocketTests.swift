import Agent
import Glibc
import System
import Testing

/// systemd's end: a bound datagram socket.
private final class Listener: Sendable {
  let socket: Int32

  /// `name` as NOTIFY_SOCKET has it.
  init(_ name: String) throws {
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(name.utf8).map { $0 == UInt8(ascii: "@") ? 0 : $0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(2 + bytes.count)) }
    }
    try #require(result == 0)
  }

  /// Nil if none is waiting.
  func next() -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(socket, &buffer, buffer.count, 0)
    return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
  }

  deinit { close(socket) }
}

@Suite struct NotifySocketTests {
  @Test func `all parts of a message arrive together`() throws {
    let folder = try Folder()
    let listener = try Listener(folder.file("notify"))
    let manager = try NotifySocket(folder.file("notify"), watchdog: nil)
    #expect(manager.tell([.ready, .status("revision 7"), .alive]))
    #expect(listener.next() == "READY=1\nSTATUS=revision 7\nWATCHDOG=1")
    #expect(listener.next() == nil)
  }

  @Test func `a socket of the abstract namespace is reached`() throws {
    let name = "@backhaul-test-\(getpid())"
    let listener = try Listener(name)
    #expect(try NotifySocket(name, watchdog: nil).tell([.stopping]))
    #expect(listener.next() == "STOPPING=1")
  }

  @Test func `a missing or stalled service manager is reported and blocks nothing`() throws {
    let folder = try Folder()
    let manager = try NotifySocket(folder.file("notify"), watchdog: nil)
    #expect(!manager.tell([.alive]))
    let listener = try Listener(folder.file("notify"))
    var taken = 0
    while taken < 10_000, manager.tell([.alive]) { taken += 1 }
    #expect(taken > 0 && taken < 10_000)
    while listener.next() != nil {}
    #expect(manager.tell([.alive]), "and again once there is room")
  }

  @Test func `a name that does not fit is refused`() {
    for name in ["/" + String(repeating: "x", count: 200), "@" + String(repeating: "x", count: 108), "@"] {
      #expect(throws: SystemCallFailure.self) { try NotifySocket(name, watchdog: nil) }
    }
  }

  @Test func `the watchdog's time counts only for the process that it names`() {
    #expect(NotifySocket.watchdog(microseconds: "10000000", process: nil, own: 7) == .seconds(10))
    #expect(NotifySocket.watchdog(microseconds: "10000000", process: "7", own: 7) == .seconds(10))
    #expect(NotifySocket.watchdog(microseconds: "10000000", process: "8", own: 7) == nil)
    for text in [nil, "", "0", "-1", "soon"] {
      #expect(NotifySocket.watchdog(microseconds: text, process: nil, own: 7) == nil)
    }
  }
}
