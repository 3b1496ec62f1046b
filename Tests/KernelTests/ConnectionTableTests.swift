import Agent
import Core
import Fakes
import KernelGrounds
import System
import Testing

/// The kernel's own table in a new namespace, with entries made by conntrack(8).
private struct RealConnections: ConnectionGround {
  let ground: RealGround
  let table: any ConnectionTablePort

  init(_ ground: RealGround) throws {
    self.ground = ground
    table = try LinuxConnectionTable()
  }

  private func words(_ flow: TrackedFlow) -> String {
    let ends = "-s \(flow.source) -d \(flow.destination)"
    return switch flow.kind {
    case .icmp(let identifier): "-p icmp \(ends) --icmp-type 8 --icmp-code 0 --icmp-id \(identifier)"
    case .gre: "-p gre \(ends) --srckey 0 --dstkey 0"
    case .udp(let port): "-p udp \(ends) --sport \(port) --dport \(port)"
    case .ipip, .esp: "-p \(flow.kind) \(ends)"
    }
  }

  func track(_ flow: TrackedFlow) throws { try ground.shell("conntrack -I \(words(flow)) -t 20 -u SEEN_REPLY") }
  func isHeld(_ flow: TrackedFlow) throws -> Bool {
    let lines = try ground.lines("conntrack -L \(words(flow)) -o extended 2>/dev/null")
    guard lines.count == 1, let line = lines.first else { throw ContractBreach("\(flow) is there as \(lines)") }
    // ipv4 2 icmp 1 SECONDS src=…
    let seconds = line.split(separator: " ").dropFirst(4).first.flatMap { Int($0) } ?? 0
    return line.contains("[ASSURED]") && seconds > 500
  }
}

@Suite("The connection table's contract, on the real kernel")
struct ConnectionTableTests {
  @Test("holds", arguments: ConnectionTableContract.allCases)
  func holds(_ promise: ConnectionTableContract) throws {
    try RealGround.with { try promise.check(on: try RealConnections($0)) }
  }
}
