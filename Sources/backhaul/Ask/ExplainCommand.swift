internal import Agent
internal import ArgumentParser
internal import Core
internal import RuleSets

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Where a packet goes, and what sends it there.",
    discussion: """
      Follows the first packet of a new connection, from a host behind the router or from the router itself: the rule \
      that takes it, its mark, the ip rule, table and route, the path, the tunnel and its SA, and finally what happens to \
      it. Of steering rules it says which one takes the packet, and why none before it does. The kernel's own answer, which includes other software's rules and routes, is shown beside what the rule set \
      wants; where the two differ, a warning says so and the last line follows the kernel. No packet is sent.
      """)

  @Argument(help: "The source: an IPv4 or IPv6 address.")
  var source: String

  @Argument(help: "The destination: an IPv4 or IPv6 address.")
  var destination: String

  @Argument(help: "tcp/PORT, udp/PORT or icmp: steering rules look at it, and other software's ip rules may.")
  var service: String?

  @Option(
    name: .customLong("in"),
    help: ArgumentHelp(
      "The interface that the packet comes in by, where its source does not "
        + "tell.", valueName: "interface"))
  var incoming: String?

  @Option(help: ArgumentHelp("The sender's MAC address, for steering rules.", valueName: "address"))
  var mac: String?

  @Option(
    help: ArgumentHelp("The packet's DSCP, for steering rules: a class such as EF, or 0 to 63.", valueName: "class"))
  var dscp: String?

  @OptionGroup var options: QuestionOptions

  func validate() throws {
    do throws(Complaint) {
      _ = try PacketQuestion(
        source: source, destination: destination, service: service, incoming: incoming, sender: mac, dscp: dscp)
    } catch {
      throw ValidationError("\(error)")
    }
  }

  func run() throws {
    var request = LocalAPI.Request(.explain)
    request.from = source
    request.to = destination
    request.service = service
    request.incoming = incoming
    request.mac = mac
    request.dscp = dscp
    try ask(request, options, as: ExplainReport.self) { Self.lines($0, colours: Terminal.takesColours) }
  }

  static func lines(_ report: ExplainReport, colours: Bool = false) -> [String] {
    var rows: [(String, String)] = [("packet", packet(report)), ("taken by", taker(report))]
    rows += report.passed.map { ("", $0) }
    if let mark = report.mark { rows.append(("mark", "\(hexadecimal(mark))/\(hexadecimal(report.mask))")) }
    if let rule = report.ipRule { rows.append(("ip rule", rule)) }
    if let route = report.route {
      rows.append(("route", report.table.map { "table \(TableID($0)): \(route)" } ?? route))
    }
    if let path = report.path { rows.append(("path", path + (report.pathState.map { ", \($0)" } ?? ""))) }
    if let tunnel = report.tunnel { rows.append(("tunnel", "\(tunnel) to hub \(report.hub ?? "-")")) }
    if let outer = report.outer {
      rows.append(("outer", "\(outer.source ?? "-") → \(outer.destination) by \(outer.device ?? "nothing")"))
    }
    if let child = report.child { rows.append(("SA", sa(child))) }
    if let kernel = report.kernel { rows.append(("kernel", words(kernel))) }
    let width = rows.map(\.0.count).max() ?? 0
    let table = rows.map { Terminal.plain("\($0)\(String(repeating: " ", count: width - $0.count))  \($1)") }
    let warnings = report.warnings.map {
      Terminal.paint(Terminal.plain("warning: \($0)"), .yellow, ifWanted: colours)
    }
    return table + warnings + [Terminal.plain(report.verdict)]
  }

  private static func packet(_ report: ExplainReport) -> String {
    var text = "\(report.source) → \(report.destination)"
    if let service = report.service { text += " \(service)" + (report.port.map { "/\($0)" } ?? "") }
    return text + (report.incoming.map { ", in by \($0)" } ?? ", sent by the router itself")
  }

  private static func taker(_ report: ExplainReport) -> String {
    switch report.takenBy {
    case "rule":
      let cause = report.cause.map { ": \($0)" } ?? ""
      return "rule \(report.rule ?? "-")" + (report.mode.map { ", \($0)\(cause)" } ?? "")
    case "steering": return "steering rule \(report.rule ?? "-")"
    case "direct": return "direct destinations"
    case "router": return "no rule: the router's own packets are never steered"
    default: return "no rule"
    }
  }

  private static func sa(_ child: ChildReport) -> String {
    guard child.state != "none" else { return "none" }
    let age = child.installedSeconds.map { " for \(Words.age($0))" } ?? ""
    return child.state + age + (child.cipher.map { ", \($0)" } ?? "") + (child.encapsulated ? " in UDP" : "")
  }

  private static func words(_ kernel: LookupReport) -> String {
    switch kernel.answer {
    case "out":
      let gateway = kernel.gateway.map { "via \($0) " } ?? ""
      return "\(gateway)dev \(kernel.device ?? "-")" + (kernel.table.map { " table \(TableID($0))" } ?? "")
    case "local": return "the router itself"
    case "spoofed": return "its source is refused (rp_filter)"
    default: return kernel.answer
    }
  }
}
