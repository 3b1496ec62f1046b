package import RuleSets

/// Something that the kernel must have been built with.
package struct KernelFeature: Equatable, Sendable {
  /// In an operator's words.
  package var name: String
  /// As in .config, without `CONFIG_`.
  package var symbol: String
  /// The module, where it can be one.
  package var module: String?

  /// What every rule set needs.
  static let always = [
    KernelFeature(name: "nftables", symbol: "NF_TABLES", module: "nf_tables"),
    KernelFeature(name: "nftables for inet", symbol: "NF_TABLES_INET", module: nil),
    KernelFeature(name: "nftables with connection tracking", symbol: "NFT_CT", module: "nft_ct"),
    KernelFeature(name: "nftables with masquerading", symbol: "NFT_MASQ", module: "nft_masq"),
    KernelFeature(name: "connection marks", symbol: "NF_CONNTRACK_MARK", module: nil),
    KernelFeature(name: "connection tracking by netlink", symbol: "NF_CT_NETLINK", module: "nf_conntrack_netlink"),
    KernelFeature(name: "ip rules", symbol: "IP_MULTIPLE_TABLES", module: nil),
  ]
  static let gre = KernelFeature(name: "GRE tunnels", symbol: "NET_IPGRE", module: "ip_gre")
  static let ipip = KernelFeature(name: "IPIP tunnels", symbol: "NET_IPIP", module: "ipip")
  static let esp = [
    KernelFeature(name: "IPsec", symbol: "XFRM_USER", module: "xfrm_user"),
    KernelFeature(name: "ESP", symbol: "INET_ESP", module: "esp4"),
  ]
  static let interfaces = KernelFeature(name: "XFRM interfaces", symbol: "XFRM_INTERFACE", module: "xfrm_interface")

  /// What `[kernel] flowtable` needs.
  static let flowtable = [
    KernelFeature(name: "flowtables", symbol: "NF_FLOW_TABLE", module: "nf_flow_table"),
    KernelFeature(name: "flowtables for inet", symbol: "NF_FLOW_TABLE_INET", module: "nf_flow_table_inet"),
    KernelFeature(name: "nftables' flow rules", symbol: "NFT_FLOW_OFFLOAD", module: "nft_flow_offload"),
  ]

  /// Every one that a rule set or the configuration can need.
  package static var all: [KernelFeature] { always + [gre, ipip] + esp + [interfaces] + flowtable }

  /// What a rule set needs, each once.
  package static func needed(by ruleSet: RuleSet?) -> [KernelFeature] {
    let tunnels = ruleSet?.tunnels ?? []
    var features = always
    if tunnels.contains(where: { if case .gre = $0.kind { true } else { false } }) { features.append(gre) }
    if tunnels.contains(where: { $0.kind == .ipip }) { features.append(ipip) }
    if tunnels.contains(where: { $0.profile != nil }) { features += esp }
    if tunnels.contains(where: { if case .ipsec = $0.kind { true } else { false } }) { features.append(interfaces) }
    return features
  }
}

/// What is known about the running kernel's build. Nothing is tried: a missing module would be loaded by it.
package struct KernelEvidence: Equatable, Sendable {
  /// `uname -r`.
  package var release: String
  /// The values (`y`, `m`) of .config by symbol; nil if there is none to read.
  package var configuration: [String: String]?
  /// Modules that are loaded, built in, or on disk; nil if there is no list of them.
  package var modules: Set<String>?
  /// What is in use, by module, although no list says so.
  package var loaded: Set<String>

  package init(
    release: String, configuration: [String: String]? = nil, modules: Set<String>? = nil, loaded: Set<String> = []
  ) {
    self.release = release
    self.configuration = configuration
    self.modules = modules
    self.loaded = loaded
  }

  /// Why the kernel lacks it; nil if it has it, or that is unknown.
  package func lack(of feature: KernelFeature) -> String? {
    if let module = feature.module, loaded.contains(module) { return nil }
    switch configuration.map({ $0[feature.symbol] }) {
    case .some("y"): return nil
    case .some("m"): break
    case .some: return "CONFIG_\(feature.symbol) is not set in the configuration of \(release)"
    case nil: break
    }
    guard let module = feature.module, let modules, !modules.contains(module) else { return nil }
    return "/lib/modules/\(release) has no \(module), and it is not loaded"
  }

  /// Of a .config: `CONFIG_NF_TABLES=m`. Everything else in it is no setting that is on.
  package static func configuration(_ text: some StringProtocol) -> [String: String] {
    var settings: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("CONFIG_") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      settings[String(line[..<equals].dropFirst("CONFIG_".count))] = String(line[line.index(after: equals)...])
    }
    return settings
  }

  /// Of modules.dep and modules.builtin: `kernel/net/ipv4/ip_gre.ko.xz: …`; a name's dashes are underscores.
  package static func modules(_ text: some StringProtocol) -> Set<String> {
    var names: Set<String> = []
    for line in text.split(whereSeparator: \.isNewline) {
      let path = line.prefix { $0 != ":" }
      let file = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
      let name = file.prefix { $0 != "." }
      if !name.isEmpty { names.insert(String(name.map { $0 == "-" ? "_" : $0 })) }
    }
    return names
  }
}
