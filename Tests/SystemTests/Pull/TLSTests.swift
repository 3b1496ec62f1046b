import Agent
import Core
import System
import Testing
import Transfer

/// Pulls over TLS: which servers are trusted, and which clients are admitted.
@Suite(.timeLimit(.minutes(5))) struct TLSTests {
  let folder: Folder
  let engine: TransferEngine

  init() throws {
    _ = try TestNetwork.shared()
    folder = try Folder()
    engine = TransferEngine()
    for authority in ["ours", "other"] { try makeAuthority(authority) }
    try makeCertificate("server", by: "ours", names: "IP:127.0.0.1")
    try makeCertificate("elsewhere", by: "ours", names: "DNS:elsewhere.example")
    try makeCertificate("client", by: "ours", names: "DNS:branch-017")
  }

  private func openssl(_ arguments: String...) throws {
    let process = try TestProcess(["sh", "-c", "exec openssl \"$@\" 2>/dev/null", "openssl"] + arguments)
    try #require(process.finish() == 0)
  }

  private func makeAuthority(_ name: String) throws {
    try openssl(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
      "/CN=\(name)", "-keyout", folder.file("\(name).key"), "-out", folder.file("\(name).pem"))
  }

  private func makeCertificate(_ name: String, by authority: String, names: String) throws {
    try openssl(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
      "/CN=\(name)", "-addext", "subjectAltName=\(names)", "-CA", folder.file("\(authority).pem"), "-CAkey",
      folder.file("\(authority).key"), "-keyout", folder.file("\(name).key"), "-out", folder.file("\(name).pem"))
  }

  private func server(_ certificate: String, _ options: String...) throws -> BadServer {
    try BadServer(
      options: ["--certificate", folder.file("\(certificate).pem"), "--key", folder.file("\(certificate).key")]
        + options)
  }

  private func pull(
    _ server: BadServer, trusting authority: String?, as client: String? = nil
  ) async -> Result<Fetched, FetchFailure> {
    let source = RuleSetSourceConfiguration(
      location: .web(url: "https://127.0.0.1:\(server.port)/no-etag"), timeout: .seconds(10),
      authorityFile: authority.map(folder.file), clientCertificateFile: client.map { folder.file("\($0).pem") },
      clientKeyFile: client.map { folder.file("\($0).key") }
    ).source(by: engine)
    do throws(FetchFailure) { return .success(try await source.fetch(etag: nil)) } catch { return .failure(error) }
  }

  private func isFetched(_ result: Result<Fetched, FetchFailure>) -> Bool {
    if case .success(.document) = result { true } else { false }
  }

  @Test func `only the named authority is trusted, and the certificate must be the server's`() async throws {
    let good = try server("server")
    #expect(isFetched(await pull(good, trusting: "ours.pem")))
    #expect(!isFetched(await pull(good, trusting: "other.pem")))
    #expect(!isFetched(await pull(good, trusting: nil)))
    #expect(!isFetched(await pull(good, trusting: "none.pem")))
    #expect(!isFetched(await pull(try server("elsewhere"), trusting: "ours.pem")))
  }

  @Test func `a server that asks for a client certificate gets it`() async throws {
    let strict = try server("server", "--authority", folder.file("ours.pem"))
    #expect(isFetched(await pull(strict, trusting: "ours.pem", as: "client")))
    #expect(!isFetched(await pull(strict, trusting: "ours.pem")))
    #expect(!isFetched(await pull(strict, trusting: "ours.pem", as: "missing")))
  }
}
