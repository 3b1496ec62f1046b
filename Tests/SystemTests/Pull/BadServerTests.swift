import Agent
import Core
import FoundationEssentials
import Glibc
import System
import Testing
import Transfer

/// How a pull handles servers that misbehave.
@Suite(.timeLimit(.minutes(5))) struct BadServerTests {
  static let document = "{\"schema\":1,\"device\":\"branch-017\",\"revision\":42}\n"
  let folder: Folder
  let server: BadServer
  let engine: TransferEngine

  /// One for all tests: to start Python for each would take longer than all of them.
  private static let server = Result {
    _ = try TestNetwork.shared()
    let document = FileManager.default.temporaryDirectory.appending(path: "backhaul-rules-\(getpid()).json")
    try Data(Self.document.utf8).write(to: document)
    return try BadServer("--document", document.path)
  }

  init() throws {
    server = try Self.server.get()
    folder = try Folder()
    try folder.write(Self.document, to: "rules.json")
    engine = TransferEngine()
  }

  private func source(
    _ path: String, timeout: Duration = .seconds(60), maximumBytes: Int = 1 << 20, credentials: String? = nil
  ) -> any RuleSetSource {
    RuleSetSourceConfiguration(
      location: .web(url: server.url(path)), timeout: timeout, maximumBytes: maximumBytes, credentialsFile: credentials
    ).source(by: engine)
  }

  private func failure(_ source: any RuleSetSource, etag: String? = nil) async -> String {
    do throws(FetchFailure) {
      return "fetched: \(try await source.fetch(etag: etag))"
    } catch {
      return error.cause
    }
  }

  @Test func `a good server gives the document once and then "unchanged"`() async throws {
    let source = source("ok")
    guard case .document(let bytes, let etag) = try await source.fetch(etag: nil) else {
      Issue.record("unchanged?")
      return
    }
    #expect(bytes == Array(Self.document.utf8))
    #expect(try await source.fetch(etag: etag) == .unchanged)
    #expect(try await source.fetch(etag: "\"old\"") == .document(bytes: bytes, etag: etag))
    #expect(try await self.source("no-etag").fetch(etag: nil) == .document(bytes: bytes, etag: nil))
  }

  @Test(arguments: [
    ("500", "status 500"),
    ("404", "status 404"),
    ("token", "status 401"),
    ("redirect", "status 302: redirects are not followed"),
    ("html", "status 200 with a web page instead of a rule set"),
    ("html-as-json", "status 200 with a web page instead of a rule set"),
    ("empty", "status 200 with an empty body"),
    ("not-modified", "status 304, but we sent no ETag"),
    ("endless", "the body is larger than 1048576 bytes"),
    ("huge-header", "the headers are larger than 65536 bytes"),
    ("many-headers", "the headers are larger than 65536 bytes"),
    ("slow-loris", "timed out"),
    ("slow-start", "timed out"),
  ])
  func `a bad answer is a failure with its cause`(path: String, cause: String) async {
    let timeout: Duration = path.hasPrefix("slow") ? .milliseconds(1_500) : .seconds(60)
    #expect(await failure(source(path, timeout: timeout)) == cause)
  }

  @Test(arguments: ["cut-off", "cut-chunked", "hang-up", "garbage"])
  func `an answer that breaks off or is not HTTP is a failure`(path: String) async {
    let cause = await failure(source(path))
    #expect(cause.hasPrefix("the answer was cut off: ") || cause.hasPrefix("not an HTTP answer: "), "\(cause)")
  }

  @Test func `a gzip bomb is not unpacked, because nobody asked for gzip`() async throws {
    guard case .document(let bytes, _) = try await source("gzip-bomb", maximumBytes: 2 << 20).fetch(etag: nil) else {
      return
    }
    #expect(bytes.count < 2 << 20)
  }

  @Test func `a body of exactly the limit is accepted, one byte more is not`() async throws {
    let size = Self.document.utf8.count
    #expect(try await source("ok", maximumBytes: size).fetch(etag: nil) != .unchanged)
    #expect(await failure(source("ok", maximumBytes: size - 1)) == "the body is larger than \(size - 1) bytes")
  }

  @Test func `a token is read from a file that only its owner can read, again for each pull`() async throws {
    let file = try folder.write("wrong-token\n", to: "token")
    let source = source("token", credentials: file)
    #expect(await failure(source) == "status 401")
    try folder.write("secret-token\n", to: "token")
    #expect(try await source.fetch(etag: nil) != .unchanged)
    try folder.write("secret-token\n", to: "token", mode: 0o640)
    #expect(await failure(source) == "group or others have access to it: chmod 600")
    for bad in ["", "two words", "token\r\nX-Evil: 1", "tök"] {
      try folder.write(bad, to: "token")
      #expect(await failure(source) == "it is not a single line with a bearer token")
    }
    try folder.write(String(repeating: "a", count: 5_000), to: "token")
    #expect(await failure(source) == "larger than 4096 bytes")
    #expect(await failure(self.source("token", credentials: folder.file("none"))) == "No such file or directory")
  }

  @Test func `no server, a name without an address and other schemes are failures that show no secret`() async throws {
    for (url, shown) in [
      ("http://user:pass@127.0.0.1:9/rules?key=secret", "GET http://127.0.0.1:9/rules"),
      ("http://no-such-host.invalid/", "GET http://no-such-host.invalid/"),
      ("ftp://127.0.0.1/rules", "GET ftp://127.0.0.1/rules"), ("file:///etc/passwd", "GET file:///etc/passwd"),
    ] {
      let source = RuleSetSourceConfiguration(location: .web(url: url), timeout: .seconds(5)).source(by: engine)
      let failure = await #expect(throws: FetchFailure.self) { try await source.fetch(etag: nil) }
      #expect(failure?.operation == shown)
      let text = failure?.description ?? ""
      #expect(!text.contains("pass") || url.hasPrefix("file"), "\(text)")
      #expect(!text.contains("secret"), "\(text)")
    }
  }

  /// And not at the end of its own time, or of the server's.
  @Test func `a cancelled pull ends at once`() async throws {
    let source = source("slow-start", timeout: .seconds(60))
    let pull = Task { await failure(source) }
    try await Task.sleep(for: .milliseconds(100))
    pull.cancel()
    #expect(await pull.value == "cancelled")
  }

  @Test func `a file as source: its document, "unchanged", and each way it can be wrong`() async throws {
    let path = folder.file("rules.json")
    let source = RuleSetSourceConfiguration(location: .file(path: path), maximumBytes: 1_000).source(by: engine)
    guard case .document(let bytes, let etag) = try await source.fetch(etag: nil) else { return }
    #expect(bytes == Array(Self.document.utf8))
    #expect(try await source.fetch(etag: etag) == .unchanged)
    try folder.write("{\"schema\":1,\"device\":\"branch-018\",\"revision\":42}\n", to: "rules.json")
    #expect(try await source.fetch(etag: etag) != .unchanged)
    try folder.write("", to: "rules.json")
    #expect(await failure(source) == "it is empty")
    try folder.write(String(repeating: " ", count: 1_001), to: "rules.json")
    #expect(await failure(source) == "larger than 1000 bytes")
    unlink(path)
    #expect(await failure(source) == "No such file or directory")
    try #require(mkfifo(path, 0o600) == 0)
    #expect(await failure(source) == "not a file")
  }
}
