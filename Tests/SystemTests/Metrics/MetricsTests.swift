import Agent
import Core
import Fakes
import FoundationEssentials
import Glibc
internal import RuleSets
import Testing

@testable import System

@Suite struct ScrapeRequestTests {
  private func parse(_ text: String) -> StreamForm.Parsed { ScrapeRequest.parse(Array(text.utf8)) }

  private func status(_ text: String) -> String? {
    guard case .refused(let reply) = parse(text) else { return nil }
    return String(decoding: reply.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
  }

  @Test func `a scrape that is cut at any byte is incomplete`() {
    let request = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9469\r\nAccept: */*\r\n\r\n"
    let bytes = Array(request.utf8)
    for length in bytes.indices { #expect(ScrapeRequest.parse(Array(bytes[..<length])) == .incomplete) }
    #expect(parse(request) == .complete([]))
    #expect(parse("GET /metrics?name=x HTTP/1.0\n\n") == .complete([]))
  }

  @Test func `whatever is not a scrape is refused with an HTTP status`() {
    #expect(status("GET / HTTP/1.1\r\n\r\n") == "HTTP/1.1 404 Not Found")
    #expect(status("GET /metricsx HTTP/1.1\r\n\r\n") == "HTTP/1.1 404 Not Found")
    #expect(status("POST /metrics HTTP/1.1\r\n\r\n") == "HTTP/1.1 405 Method Not Allowed")
    #expect(status("\u{16}\u{3}\u{1}\r\n\r\n") == "HTTP/1.1 400 Bad Request")
    #expect(status("\r\n\r\n") == "HTTP/1.1 400 Bad Request")
    #expect(status(String(repeating: "a", count: 4_097)) == "HTTP/1.1 431 Request Header Fields Too Large")
  }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct LinuxMetricsTests {
  private let folder: Folder
  init() throws { folder = try Folder() }

  @Test("keeps the contract on a socket", arguments: MetricsContract.allCases)
  func onASocket(_ promise: MetricsContract) async throws {
    try await promise.check(on: RealMetricsGround(onPort: false))
  }

  @Test("keeps the contract on a port", arguments: MetricsContract.allCases)
  func onAPort(_ promise: MetricsContract) async throws { try await promise.check(on: RealMetricsGround(onPort: true)) }

  @Test func `a scraper on the socket gets the whole page, even if idle clients are connected`() async throws {
    let path = folder.file("metrics.sock")
    // This test is not about the deadline, and a busy machine must not make it fail.
    let metrics = LinuxMetrics(MetricsConfiguration(listener: .unix(path: path)), deadline: .seconds(60))
    try metrics.listen { Array(repeating: UInt8(ascii: "x"), count: 4 << 20) }
    defer { metrics.close() }
    try await blocking {
      try TestProcess.run(
        "python3", "-c",
        """
        import socket, sys
        def client(request):
            s = socket.socket(socket.AF_UNIX)
            s.connect(sys.argv[1])
            # Who is one too many is told so before it has asked.
            try: s.sendall(request)
            except BrokenPipeError: pass
            return s
        scrape = b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
        idle = [client(b"GET /met") for _ in range(3)] + [client(scrape) for _ in range(3)]
        answer = b""
        s = client(scrape)
        while part := s.recv(65536): answer += part
        head, body = answer.split(b"\\r\\n\\r\\n", 1)
        assert head.startswith(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain; version=0.0.4"), head
        assert b"Content-Length: 4194304" in head, head
        assert body == b"x" * (4 << 20), len(body)
        more = [client(b"GET") for _ in range(4)]
        assert any(c.recv(100).startswith(b"HTTP/1.1 503") for c in more[2:])
        """, path)
    }
  }

  @Test func `a port that is in use is refused`() throws {
    let loopback = try #require(IPv4Address("127.0.0.1"))
    let other = try #require(IPv4Address("192.0.2.1"))
    let first = try LoopbackListener(loopback, port: 29_469)
    let failure = #expect(throws: SystemCallFailure.self) { _ = try LoopbackListener(loopback, port: 29_469) }
    #expect(failure?.description == "bind 127.0.0.1:29469: Address already in use")
    withExtendedLifetime(first) {}
    #expect(throws: SystemCallFailure.self) { _ = try LoopbackListener(other, port: 29_470) }
  }

  @Test func `the file is replaced whole, and everyone may read it`() throws {
    let path = folder.file("backhaul.prom")
    let metrics = LinuxMetrics(MetricsConfiguration(textfile: path))
    try metrics.write(Array("a 1\n".utf8))
    try metrics.write(Array("a 2\n".utf8))
    #expect(try folder.bytes(of: "backhaul.prom") == Array("a 2\n".utf8))
    #expect(try folder.names == ["backhaul.prom"])
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o644)
    let nowhere = LinuxMetrics(MetricsConfiguration(textfile: "/nonexistent/a.prom"))
    #expect(throws: StoreFailure.self) { try nowhere.write([]) }
  }
}
