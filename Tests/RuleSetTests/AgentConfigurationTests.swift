import Glibc
internal import RuleSets
import Testing

@testable import Core
@testable import System

@Suite struct AgentConfigurationTests {
  static let badNames = Repository.names(in: "Tests/bad-configurations", ending: ".toml")

  @Test func theSampleIsValidAndHoldsTheDefaults() throws {
    let sample = try ConfigurationFile.load(Repository.path("etc/agent.toml"))
    let device = try #require(Name("branch-017"))
    let (first, second) = (try #require(InterfaceName("wan0")), try #require(InterfaceName("wan1")))
    let lans = [try #require(InterfaceName("lan0")), try #require(InterfaceName("lan1"))]
    #expect(
      sample
        == AgentConfiguration(
          device: device,
          ruleSet: RuleSetSourceConfiguration(
            location: .web(url: "https://orchestrator.example/v1/devices/branch-017/rule-set")),
          uplinks: [UplinkConfiguration(interface: first), UplinkConfiguration(interface: second, tier: 2)],
          lans: lans))
  }

  /// What the sample shows commented out is the default: without the hashes nothing changes except optional values.
  @Test func theSamplesCommentedKeysAreTheDefaults() throws {
    let text = try Repository.text("etc/agent.toml")
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let isKey = line.hasPrefix("# ") && line.contains(" = ") && !line.contains("\"http://")
      // The other uplinks are examples, and would have no interface.
      let isExample = exampleKeys.contains { line.contains($0) }
      return isKey && !isExample ? line.dropFirst(2) : line
    }
    let full = try ConfigurationFile.decode(Array(lines.joined(separator: "\n").utf8))
    var sample = try ConfigurationFile.load(Repository.path("etc/agent.toml"))
    sample.ruleSet.credentialsFile = "/etc/backhaul/token"
    sample.ruleSet.authorityFile = "/etc/backhaul/ca.pem"
    sample.ruleSet.clientCertificateFile = "/etc/backhaul/client.pem"
    sample.ruleSet.clientKeyFile = "/etc/backhaul/client.key"
    sample.ipsec.pskFile = "/etc/backhaul/secrets/hubs.psk"
    sample.ipsec.certificateFile = "/etc/backhaul/secrets/branch-017.pem"
    sample.ipsec.keyFile = "/etc/backhaul/secrets/branch-017.key"
    sample.ipsec.authorityFile = "/etc/backhaul/secrets/authority.pem"
    sample.metrics.listener = .loopback(try #require(IPv4Address("127.0.0.1")), port: 9469)
    sample.metrics.textfile = "/run/backhaul/backhaul.prom"
    sample.hooks.user = "nobody"
    #expect(full == sample)
  }

  private let exampleKeys = [
    "mpls0", "private = true", "gateway =", "source = \"198", "targets =", "probe_budget",
    "syslog =",
  ]

  /// Whoever copies both has a router that works.
  @Test(arguments: ["etc/rule-set.example.json", "etc/rule-set.ipsec.example.json"])
  func theSamplesAreOneRouter(_ path: String) throws {
    let ruleSet = try RuleSetDecoder.decode(Repository.bytes(path))
    #expect(
      RuleSetCheck.complaints(ruleSet, try ConfigurationFile.load(Repository.path("etc/agent.toml"))) == [])
  }

  /// The guard looks for the state directory even in a broken configuration file.
  @Test(arguments: [
    ("state_directory = \"/srv/state\"", "/srv/state"), ("[files\n  state_directory='/srv/state' # here", "/srv/state"),
    ("# state_directory = \"/srv/state\"", "/var/lib/backhaul"), ("state_directory = \"srv\"", "/var/lib/backhaul"),
    ("state_directory =", "/var/lib/backhaul"), ("", "/var/lib/backhaul"),
    ("state_directory = \"/", "/var/lib/backhaul"),
  ])
  func theStateDirectoryOfAnUnusableFileIsFound(_ text: String, _ expected: String) throws {
    let path = "/tmp/backhaul-\(UInt64.random(in: 0 ... .max)).toml"
    try AtomicFile.write(Array(text.utf8), to: path)
    defer { unlink(path) }
    #expect(ConfigurationFile.stateDirectory(ofUnusable: path) == expected)
    #expect(ConfigurationFile.stateDirectory(ofUnusable: "/nonexistent.toml") == "/var/lib/backhaul")
  }

  /// Typing errors that crash other TOML parsers, which would take the agent and the guard with them.
  @Test(arguments: [
    ("[[[", "line 1, column 3: expected a table's name after \"[\""),
    ("[+a]", "line 1, column 2: expected a table's name after \"[\""),
    ("x = 1\n  [#", "line 2, column 4: expected a table's name after \"[\""),
    ("x = [1, }", "line 1, column 9: expected a value, found \"}\""),
    ("x = [\n # here\n }", "line 3, column 2: expected a value, found \"}\""),
  ])
  func whatOtherParsersAbortAtIsRefused(_ text: String, _ words: String) {
    let error = #expect(throws: Complaint.self) { try TOMLDocument.parse(text) }
    #expect(error?.text == words)
  }

  @Test(arguments: [
    "x = [\n[1], # [#\n[\"[\", '[']\n]", "x = \"\"\"\n[#\n\\\"\"\"\" # \n[a]", "x = '''\n[#'''\n[ a ]\n[[ \"b\" ]]",
    "x = [ {a = 1}, {b = 2} ]", "x = '[#'\n", "x = \"\\\\\"\n[a]", "[a]\r\nx = [\r\n]\r\n",
  ])
  func whatOnlyLooksLikeItIsRead(_ text: String) throws {
    _ = try TOMLDocument.parse(text)
  }

  /// Each byte of a configuration is damaged in many ways: it is refused or read, and nothing worse.
  @Test func anyByteMayBeDamaged() throws {
    let text = Array(
      """
      device = "a"
      lans = ["lan0"]
      [[uplinks]]
      interface = 'wan0'
      targets = [ # two
        "192.0.2.1", "192.0.2.2",
      ]
      [rule_set]
      source = "https://192.0.2.1/"
      """.utf8)
    let nasty = Array("[]{}\"'#=.,\n\r\t \\a0+-_:".utf8) + [0, 0x7f, 0x80, 0xc3, 0xff]
    for place in text.indices {
      for byte in nasty {
        var altered = text
        altered[place] = byte
        _ = try? ConfigurationFile.decode(altered)
        altered = text
        altered.insert(byte, at: place)
        _ = try? ConfigurationFile.decode(altered)
      }
      _ = try? ConfigurationFile.decode(Array(text[..<place]))
    }
  }

  @Test func anUplinkHasTargetsAndABudget() throws {
    let text = """
      device = "a"
      lans = ["lan0"]
      uplinks = [{ interface = "wan0", targets = ["192.0.2.1", "198.18.0.9"], probe_budget_bytes_per_day = 5000000 }]
      [rule_set]
      source = "https://192.0.2.1/"
      """
    let uplink = try #require(try ConfigurationFile.decode(Array(text.utf8)).uplinks.first)
    #expect(uplink.targets.map(\.description) == ["192.0.2.1", "198.18.0.9"])
    #expect(uplink.probeBudget == 5_000_000)
  }

  @Test func anUplinkHasASource() throws {
    let text = """
      device = "a"
      lans = ["lan0"]
      uplinks = [{ interface = "wan0", source = "198.51.100.2" }]
      [rule_set]
      source = "https://192.0.2.1/"
      """
    let uplink = try #require(try ConfigurationFile.decode(Array(text.utf8)).uplinks.first)
    #expect(uplink.source?.description == "198.51.100.2")
  }

  @Test func thereAreManyBadConfigurations() {
    #expect(Self.badNames.count >= 60)
    #expect(Self.badNames == Repository.names(in: "Tests/bad-configurations", ending: ".expected"))
  }

  @Test(arguments: badNames) func isRefusedInWords(_ name: String) throws {
    let bytes = try Repository.bytes("Tests/bad-configurations/\(name).toml")
    let expected = try Repository.text("Tests/bad-configurations/\(name).expected")
    let error = #expect(throws: Complaints.self) { try ConfigurationFile.decode(bytes) }
    #expect(error.map { $0.description + "\n" } == expected)
  }

  @Test(arguments: [
    "http://127.0.0.1:8080/rule-set", "http://127.9.9.9/", "http://localhost/x?y=z", "http://[::1]:80/",
    "https://192.0.2.1", "https://[2001:db8::1]:8443/rule-set", "https://a.b-c.example:65535/",
  ])
  func theseSourcesAreTaken(_ url: String) throws {
    let configuration = try decode(source: url)
    #expect(configuration.ruleSet.location == .web(url: url))
  }

  @Test func aFileIsASource() throws {
    #expect(
      try decode(source: "file:///srv/rule set.json".replacing(" ", with: "-")).ruleSet.location
        == .file(path: "/srv/rule-set.json"))
  }

  @Test func httpToAnotherMachineIsTakenWhereItIsAllowed() throws {
    let configuration = try decode(source: "http://192.0.2.1/", more: "allow_insecure_http = true")
    #expect(configuration.ruleSet.location == .web(url: "http://192.0.2.1/"))
  }

  @Test func aPasswordInTheSourceIsNotRepeated() throws {
    let error = #expect(throws: Complaints.self) { try decode(source: "https://user:hunter2@orchestrator.example/") }
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test func aMissingFileIsNamed() {
    let error = #expect(throws: ConfigurationFailure.self) { try ConfigurationFile.load("/nonexistent/agent.toml") }
    #expect(error?.description == "/nonexistent/agent.toml: open: No such file or directory")
  }

  @Test func aDirectoryAndADeviceAreNoFile() {
    for path in ["/etc", "/dev/zero"] {
      let error = #expect(throws: ConfigurationFailure.self) { try ConfigurationFile.load(path) }
      #expect(error?.description == "\(path): expected a file, found a directory, device or pipe")
    }
  }

  private func decode(source: String, more: String = "") throws -> AgentConfiguration {
    let text = """
      device = "a"
      lans = ["lan0"]
      uplinks = [{ interface = "wan0" }]
      [rule_set]
      source = "\(source)"
      \(more)
      """
    return try ConfigurationFile.decode(Array(text.utf8))
  }
}
