import Agent
import Core
import Fakes
import Glibc
internal import RuleSets
import Synchronization
import System
import VICI

/// A charon-systemd of its own, in the namespace of the tests: its settings, its socket and every file that it is given
/// lie in one temporary folder. It knows nothing of the machine's own strongSwan.
final class RealCharonGround: CharonGround {
  let folder: Folder
  let charon: any CharonPort
  private let daemon = Mutex<TestProcess?>(nil)
  private let files: Folder

  private var socket: String { folder.file("vici") }
  var configuration: IPsecConfiguration { IPsecConfiguration(viciSocket: socket) }

  /// The plugins are named, so that it is the same one on every machine. All are in the Debian packages that
  /// `Tests/install` installs.
  private static let plugins =
    "random nonce aes sha1 sha2 hmac kdf gcm openssl pem pkcs1 pkcs8 x509 pubkey kernel-netlink socket-default vici"

  /// Runs `body` with a charon that ends with it.
  static func with(_ body: (RealCharonGround) async throws -> Void) async throws {
    _ = try TestNetwork.shared()
    let ground = try RealCharonGround()
    try await ground.start()
    let result = await Result { try await body(ground) }
    try await ground.end()
    try result.get()
  }

  private init() throws {
    folder = try Folder()
    charon = try LinuxCharon(IPsecConfiguration(viciSocket: folder.file("vici")))
    files = try Self.sharedFiles.get()
    try folder.write(
      """
      charon {
        load = \(Self.plugins)
        install_routes = no
        plugins { vici { socket = unix://\(folder.file("vici")) } }
        filelog { test { path = \(folder.file("charon.log")) } }
      }
      """, to: "strongswan.conf")
  }

  /// What charon has written since it first existed.
  func log() throws -> String { String(decoding: try folder.bytes(of: "charon.log"), as: UTF8.self) }

  // MARK: Life and death

  func start() async throws {
    let settings = folder.file("strongswan.conf")
    let new = try TestProcess(["env", "STRONGSWAN_CONF=\(settings)", "charon-systemd"])
    daemon.withLock { $0 = new }
    // It creates its socket before it listens there.
    for _ in 0..<2_000 {
      if (try? VICISession.open(socketPath: socket, timeout: .seconds(1))) != nil { return }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw TestProcess.Failure(description: "charon does not answer: \((try? log()) ?? "it wrote no log")")
  }

  func end() async throws {
    guard
      let daemon = daemon.withLock({ daemon in
        defer { daemon = nil }
        return daemon
      })
    else { return }
    // By its process id, because other programs with that name may be running.
    kill(daemon.id, SIGTERM)
    _ = try await blocking { daemon.finish() }
    unlink(socket)
  }

  /// Another client of charon's.
  func asking<R>(_ body: (inout VICISession) throws -> R) throws -> R {
    var session = try VICISession.open(socketPath: socket, timeout: .seconds(10))
    return try body(&session)
  }

  // MARK: Files

  /// Made once, and gone with the process; no test changes them.
  private static let sharedFiles: Result<Folder, any Error> = Result {
    atexit { if let folder = try? RealCharonGround.sharedFiles.get() { folder.remove() } }
    return try makeFiles()
  }

  private static func makeFiles() throws -> Folder {
    let folder = try Folder()
    func run(_ command: String) throws {
      try TestProcess.run("sh", "-ec", "cd \(folder.path) && exec 2>pki.log && \(command)")
    }
    try folder.write("\(CharonSecret.marker) correct horse\n", to: "psk")
    try folder.write("\n", to: "emptyPSK")
    try folder.write("\(CharonSecret.marker)\n", to: "openPSK", mode: 0o644)
    try run("pki --gen --type ecdsa --size 256 --outform pem >ca.key && chmod 600 ca.key")
    try run("pki --self --ca --in ca.key --type ecdsa --dn CN=CA --outform pem >authority")
    try run("pki --gen --type ecdsa --size 256 --outform pem >us.key && chmod 600 us.key")
    try run("pki --pub --in us.key --type ecdsa >us.pub")
    try run(
      "pki --issue --cacert authority --cakey ca.key --in us.pub --type pub --dn CN=branch-017 --san branch-017 "
        + "--outform pem >us.crt")
    let broken = "-----BEGIN PRIVATE KEY-----\n\(CharonSecret.marker)\n-----END PRIVATE KEY-----\n"
    try folder.write(broken, to: "broken.key")
    try folder.write("\(CharonSecret.marker): no certificate\n", to: "broken.crt")
    try run("cp us.key open.key && chmod 640 open.key")
    return folder
  }

  func credentials(_ kind: CharonSecret) async throws -> IKEConnection.Credentials {
    func certificate(_ file: String = "us.crt", key: String = "us.key") -> IKEConnection.Credentials {
      .certificate(file: files.file(file), key: files.file(key), authority: files.file("authority"))
    }
    return switch kind {
    case .psk, .missingPSK, .emptyPSK, .openPSK: .psk(file: files.file("\(kind)"))
    case .certificate: certificate()
    case .missingCertificate: certificate("nowhere.crt")
    case .brokenCertificate: certificate("broken.crt")
    case .brokenKey: certificate(key: "broken.key")
    case .openKey: certificate(key: "open.key")
    }
  }

  func lackedProposal() async throws -> Proposal {
    let offered = CharonAlgorithms(
      sections: try asking { session in
        try session.request("get-algorithms", timeout: .seconds(10)).sections
          .map { ($0.name, $0.message.members.map(\.name)) }
      })
    // charon 5.9 has no second key exchange, and no charon has all of these without the plugins that are not loaded here.
    for text in ["aes256gcm16-prfaescmac-x25519-ke1_mlkem768", "aes256gcm16-prfaesxcbc-x25519"] {
      let proposal = try Proposal.parse(text, for: .ike)
      if !proposal.unsupported(by: offered).isEmpty { return proposal }
    }
    throw ContractBreach("this charon has everything")
  }

  // MARK: Others

  func addForeign(_ name: String) async throws {
    let connection = VICIMessage {
      $0.section(name) {
        $0.set("version", 2)
        $0.set("local_addrs", ["198.51.100.1"])
        $0.set("remote_addrs", ["198.51.100.2"])
        $0.section("local") { $0.set("auth", "psk") }
        $0.section("remote") { $0.set("auth", "psk") }
        $0.section("children") { $0.section("net") { $0.set("remote_ts", ["10.0.0.0/8"]) } }
      }
    }
    _ = try asking { try $0.request("load-conn", connection, timeout: .seconds(10)) }
  }

  func foreign(_ name: String) async throws -> String? {
    try listed(name).map { section in
      "\(section.list("local_addrs")) \(section.list("remote_addrs")) \(section.section("children")?.sections ?? [])"
    }
  }

  /// What `list-conns` says of a connection.
  func listed(_ name: String) throws -> VICIMessage? {
    var found: VICIMessage?
    _ = try asking { session in
      try session.stream("list-conns", event: "list-conn", timeout: .seconds(10)) { message in
        found = found ?? message.sections.first { $0.name == name }?.message
      }
    }
    return found
  }

  func takeConnection(of tunnel: Name) async throws {
    _ = try asking {
      try $0.request(
        "unload-conn", VICIMessage { $0.set("name", IKEConnection.prefix + tunnel.text) }, timeout: .seconds(10))
    }
  }

  func takeSecrets(of tunnel: Name) async throws {
    _ = try asking { session in
      for key in try session.request("get-keys", timeout: .seconds(10)).list("keys") {
        _ = try session.request("unload-key", VICIMessage { $0.set("id", key) }, timeout: .seconds(10))
      }
      for key in try session.request("get-shared", timeout: .seconds(10)).list("keys") {
        _ = try session.request("unload-shared", VICIMessage { $0.set("id", key) }, timeout: .seconds(10))
      }
    }
  }
}

extension Result where Failure == any Error {
  fileprivate init(_ body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
