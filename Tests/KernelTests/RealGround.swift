import Agent
import CNamespace
import Core
import Fakes
import Glibc
import System

/// The kernel at hand, in a network namespace made for one test. Everything happens on the thread that made it.
struct RealGround: KernelGround {
  let ranges = KernelRanges()
  let stateDirectory: String
  let kernel: any KernelPort
  let flip: any FlipPort
  let ports: OwnPorts

  /// Runs `body` in a new namespace, which ends with it.
  static func with(_ body: (RealGround) throws -> Void) throws {
    let before = namespace_enter_new()
    guard before >= 0 else {
      throw ContractBreach("no new network namespace: root is needed (errno \(errno))")
    }
    defer { _ = namespace_return(before) }
    var template = Array("/tmp/backhaul-kernel-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ContractBreach("mkdtemp: errno \(errno)") }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      unlink("\(directory)/sysctls.json")
      rmdir(directory)
    }
    try body(RealGround(stateDirectory: directory))
  }

  private init(stateDirectory: String) throws {
    self.stateDirectory = stateDirectory
    let kernel = try LinuxKernel(ranges, stateDirectory: stateDirectory)
    let flip = try LinuxFlip(ranges)
    self.kernel = kernel
    self.flip = flip
    ports = kernel.ports.union(flip.ports)
  }

  /// As an operator would type it; several lines are several commands.
  func shell(_ command: String) throws {
    let status = namespace_run(command)
    guard status == 0 else { throw ContractBreach("\(command): exit status \(status)") }
  }

  private func count(_ command: String) throws -> Int {
    let path = "\(stateDirectory)/out"
    try shell("{ \(command) || true; } | wc -l > \(path)")
    defer { unlink(path) }
    guard let file = fopen(path, "r") else { throw ContractBreach("open \(path): errno \(errno)") }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 32)
    guard fgets(&line, 32, file) != nil else { return 0 }
    return Int(atoi(line))
  }

  func addDevice(_ name: InterfaceName, address: InterfaceAddress?) throws {
    // A peer in the same namespace gives it carrier.
    try shell(
      "ip link add \(name) type veth peer name \(name)-peer; ip link set \(name)-peer up; ip link set \(name) up")
    if let address { try shell("ip address add \(address) dev \(name)") }
  }

  func setDown(_ name: InterfaceName) throws { try shell("ip link set \(name) down") }
  func removeDevice(_ name: InterfaceName) throws { try shell("ip link delete \(name)") }

  func addForeign(_ route: TableRoute) throws {
    guard case .out(let device, nil) = route.way else { throw ContractBreach("only device routes here") }
    try shell("ip route add default dev \(device) table \(route.table) metric \(route.metric) proto 77")
  }

  func addForeign(_ rule: RoutingRule) throws {
    guard let mark = rule.mark, case .lookup(let table, nil) = rule.action else {
      throw ContractBreach("only mark rules here")
    }
    try shell("ip rule add priority \(rule.priority) fwmark \(mark.mark)/\(mark.mask) lookup \(table) protocol 77")
  }

  func foreignRoutes(_ table: TableID) throws -> Int { try count("ip route show table \(table) proto 77") }
  func rules(at priority: RulePriority) throws -> Int { try count("ip rule show priority \(priority)") }
}
