package import RuleSets

/// A field of a rule's match. The raw values are the rule set's keys.
package enum SteeringField: String, CaseIterable, Sendable {
  case lans, sources, destinations, macs, protocols, ports, dscp, domains, schedule
}

extension SteeringMatch {
  /// Whether the field takes the packet. One that is empty takes any.
  package func takes(_ packet: SteeredPacket, in field: SteeringField) -> Bool {
    switch field {
    case .lans: lans.isEmpty || lans.contains(packet.lan)
    case .sources: sources.isEmpty || sources.contains { $0.contains(packet.source) }
    case .destinations: destinations.isEmpty || destinations.contains { $0.contains(packet.destination) }
    case .macs: macs.isEmpty || packet.mac.map(macs.contains) == true
    case .protocols: protocols.isEmpty || protocols.contains(packet.protocol)
    case .ports: ports.isEmpty || packet.port.map { port in ports.contains { $0.contains(port) } } == true
    case .dscp: dscp.isEmpty || dscp.contains(packet.dscp)
    case .domains:
      domains.isEmpty || domains.contains { domain in packet.domains.contains { domain.contains($0) } }
    case .schedule: schedule?.holds(inMinuteOfWeek: packet.minuteOfWeek) ?? true
    }
  }

  /// The fields that do not take the packet, in their order; empty: the match takes it.
  package func misses(_ packet: SteeredPacket) -> [SteeringField] {
    SteeringField.allCases.filter { !takes(packet, in: $0) }
  }

  package func takes(_ packet: SteeredPacket) -> Bool { SteeringField.allCases.allSatisfy { takes(packet, in: $0) } }
}

// MARK: - Words

extension SteeringMatch {
  /// More items of a list than that nobody reads.
  private static let told = 4

  /// Why the field does not take the packet: `it goes to port 80, not to 443 or 5000-5999`.
  package func words(for field: SteeringField, missing packet: SteeredPacket) -> String {
    switch field {
    case .lans: "it comes in by \(packet.lan), not by \(Self.list(lans))"
    case .sources: "it comes from \(packet.source), not from \(Self.list(sources))"
    case .destinations: "it goes to \(packet.destination), not to \(Self.list(destinations))"
    case .macs:
      packet.mac.map { "its sender is \($0), not \(Self.list(macs))" }
        ?? "its sender's MAC address is not known, and it has to be \(Self.list(macs))"
    case .protocols: "its protocol is \(packet.protocol), not \(Self.list(protocols))"
    case .ports:
      packet.port.map { "it goes to port \($0), not to \(Self.list(ports))" }
        ?? "it has no port, and the rule asks for \(Self.list(ports))"
    case .dscp: "its DSCP is \(packet.dscp), not \(Self.list(dscp))"
    case .domains:
      "the router's resolver has found no address \(packet.destination) for \(Self.list(domains))"
    case .schedule:
      "it is \(Self.time(packet.minuteOfWeek)), and the rule holds \(schedule.map { "\($0)" } ?? "always")"
    }
  }

  private static func list(_ values: [some CustomStringConvertible]) -> String {
    let texts = values.prefix(told).map(\.description)
    if values.count > told { return texts.joined(separator: ", ") + " or \(values.count - told) more" }
    return texts.count < 2
      ? texts.joined() : texts.dropLast().joined(separator: ", ") + " or \(texts.last ?? "")"
  }

  private static func time(_ minute: Int) -> String {
    let (day, time) = minute.quotientAndRemainder(dividingBy: Schedule.minutesOfDay)
    let days = Weekday.allCases
    return "\(days.indices.contains(day) ? days[day].rawValue : "?") \(TimeOfDay(minutes: time)?.description ?? "?")"
  }

  /// What it asks of a packet, for tables: `udp to port 5060 or 5061, DSCP EF`.
  package var words: String {
    var parts: [String] = []
    if !protocols.isEmpty { parts.append(Self.list(protocols)) }
    if !sources.isEmpty { parts.append("from \(Self.list(sources))") }
    if !macs.isEmpty { parts.append("sent by \(Self.list(macs))") }
    if !lans.isEmpty { parts.append("in by \(Self.list(lans))") }
    if !destinations.isEmpty { parts.append("to \(Self.list(destinations))") }
    if !domains.isEmpty { parts.append("to \(Self.list(domains))") }
    if !ports.isEmpty { parts.append("to port \(Self.list(ports))") }
    if !dscp.isEmpty { parts.append("DSCP \(Self.list(dscp))") }
    if let schedule { parts.append("\(schedule)") }
    return parts.joined(separator: ", ")
  }
}
