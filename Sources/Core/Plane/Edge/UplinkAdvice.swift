/// What to do about an uplink that cannot be used, by the words that `UplinkState` and the watch have for it.
package enum UplinkAdvice {
  /// What to do about an obstacle on an interface, as a command or a short sentence; `unknown` where the words are not
  /// known.
  package static func step(_ obstacle: String, _ interface: String, unknown: String = "see backhaul doctor") -> String {
    switch obstacle {
    case "no such interface": "ip link lists the interfaces; check its name in agent.toml"
    case "the interface is down": "ip link set \(interface) up, or start what brings it up"
    case "no carrier": "check its cable and modem"
    case "no IPv4 address": "its DHCP client or its static configuration must give it one"
    case "no gateway is configured": "set its `gateway` in agent.toml"
    case "the main table has no default route by it":
      "its DHCP client must set one (ip route show default), or set its `gateway` in agent.toml"
    case "none of its targets answers": "call its provider, or check that its `targets` in agent.toml answer pings"
    default: unknown
    }
  }
}
