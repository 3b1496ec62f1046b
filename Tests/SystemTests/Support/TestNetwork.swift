import Core
import FoundationEssentials
import Glibc

/// The network that these tests run in: a namespace of its own with `lo` (127.0.0.1), and a veth pair to a peer
/// namespace.
///
///     here                                   peer
///     io-near 192.0.2.1/24, 192.0.2.3/24 --- io-far 192.0.2.2/24
///
/// Outside a namespace of its own the test run fails: nothing here may touch the machine's network.
final class TestNetwork: Sendable {
  static let near = "io-near"
  static let nearAddress = "192.0.2.1"
  static let otherNearAddress = "192.0.2.3"
  static let peerAddress = "192.0.2.2"
  /// On the link, but unused.
  static let nobody = "192.0.2.99"

  private let peer: TestProcess

  private static let result = Result { try TestNetwork() }
  static func shared() throws -> TestNetwork { try result.get() }

  private init() throws {
    let devices = try String(contentsOfFile: "/proc/self/net/dev", encoding: .utf8).split(separator: "\n").dropFirst(2)
      .map { $0.prefix { $0 != ":" }.drop { $0 == " " } }
    // What a new namespace comes with: `lo`, and the fallback devices of loaded modules.
    let fallbacks = ["lo", "tunl0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "sit0", "ip_vti0", "ip6_vti0"]
    guard devices.allSatisfy({ fallbacks.contains(String($0)) }) else {
      throw TestProcess.Failure(
        description: "these tests change the network: run them in a namespace, `unshare --net -- swift test …`")
    }
    try TestProcess.run("ip", "link", "set", "lo", "up")
    peer = try TestProcess([
      "unshare", "--net", "--", "sh", "-c", "ip link set lo up && echo ready && exec cat",
    ])
    guard peer.line() == "ready" else { throw TestProcess.Failure(description: "no peer namespace") }
    try makeLink()
  }

  /// Makes the pair; to be called again after `removeLink`.
  func makeLink() throws {
    try TestProcess.run(
      "ip", "link", "add", Self.near, "type", "veth", "peer", "name", "io-far", "netns", "\(peer.id)")
    for address in [Self.nearAddress, Self.otherNearAddress] {
      try TestProcess.run("ip", "addr", "add", "\(address)/24", "dev", Self.near)
    }
    try inPeer("ip", "addr", "add", "\(Self.peerAddress)/24", "dev", "io-far")
    try inPeer("ip", "link", "set", "io-far", "up")
    try TestProcess.run("ip", "link", "set", Self.near, "up")
  }

  func removeLink() throws { try TestProcess.run("ip", "link", "del", Self.near) }

  func inPeer(_ arguments: String...) throws {
    let process = try TestProcess(enterPeer + arguments)
    let status = process.finish()
    guard status == 0 else { throw TestProcess.Failure(description: "in peer: \(arguments): exit status \(status)") }
  }

  /// The prefix for a command that is to run in the peer's namespace.
  var enterPeer: [String] { ["nsenter", "--target", "\(peer.id)", "--net", "--"] }
}
