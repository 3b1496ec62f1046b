internal import RuleSets

/// Says what is wrong with a router, and what to do. Pure: it only looks at the examination.
///
/// A finding is something that a field tech should act on, so neither the operator's own choices nor what the agent
/// repairs by itself are findings.
package struct Doctor {
  let seen: Examination
  private(set) var findings: [Finding] = []

  private init(_ examination: Examination) { seen = examination }

  /// What there is of the agent first, then errors, then warnings.
  package static func findings(_ examination: Examination) -> [Finding] {
    var doctor = Doctor(examination)
    doctor.checkAgent()
    doctor.checkRuleSet()
    doctor.checkClock()
    doctor.checkSchedules()
    doctor.checkResolver()
    doctor.checkDomains()
    doctor.checkTraffic()
    doctor.checkUplinks()
    doctor.checkSources()
    doctor.checkSizes()
    doctor.checkSettings()
    doctor.checkForeign()
    doctor.checkCharon()
    doctor.checkFeatures()
    doctor.checkLibraries()
    doctor.checkCertificates()
    doctor.checkConnections()
    doctor.checkState()
    let agent = doctor.findings.filter { $0.subject == .agent }
    let others = doctor.findings.filter { $0.subject != .agent }
    return agent + others.filter { $0.severity == .error } + others.filter { $0.severity == .warning }
  }

  mutating func find(
    _ severity: Finding.Severity, _ subject: Finding.Subject, _ text: String, evidence: String, fix: String
  ) {
    findings.append(Finding(severity, subject, text, evidence: evidence, fix: fix))
  }

  /// What could be looked at; where it could not, that is a finding.
  mutating func value<Value>(
    _ result: Result<Value, Examination.Unseen>, _ subject: Finding.Subject, _ what: String
  ) -> Value? {
    switch result {
    case .success(let value): return value
    case .failure(let cause):
      find(
        .warning, subject, "\(what) could not be checked", evidence: "\(cause)", fix: "run backhaul doctor as root")
      return nil
    }
  }

  // MARK: The agent and what it runs

  private mutating func checkAgent() {
    switch seen.agent {
    case .failure(let cause):
      find(
        .error, .agent, "no agent answers, so nothing is probed and nothing fails over", evidence: "\(cause)",
        fix: "systemctl start backhaul; journalctl -u backhaul says why it ended")
    case .success(let signs):
      if let trouble = signs.applyTrouble {
        find(
          .error, .agent, "the kernel does not match the rule set", evidence: trouble,
          fix: "backhaul diff shows what differs; the agent keeps trying until it succeeds")
      }
      if let trouble = signs.pullTrouble {
        find(
          .warning, .ruleSet, "no rule set can be fetched from its source", evidence: trouble,
          fix: "check rule_set.source in agent.toml; meanwhile the cached rule set steers traffic")
      }
      if let what = signs.rolledBack {
        find(
          .warning, .ruleSet, "a rule set was rolled back, and the one before it is running", evidence: what,
          fix: "ask its maintainer to fix it; systemctl reload backhaul tries it again")
      }
      if let cause = signs.holdCause {
        find(
          .error, .agent, "no rule set is running, and traffic is held off the uplinks until one is", evidence: cause,
          fix: "rule_set.source in agent.toml must supply one; with guard.when_in_doubt = \"open\" nothing is held "
            + "while in doubt")
      }
      if !signs.notKept.isEmpty {
        find(
          .error, .state, "a restart would lose part of the present state",
          evidence: signs.notKept.joined(separator: "; "),
          fix: "df -h, df -i and mount of \(seen.configuration.files.stateDirectory); the agent tries again by itself")
      }
      if let trouble = signs.journalTrouble {
        find(
          .warning, .journal, "events are not being saved to disk", evidence: trouble,
          fix: "df -h and df -i of \(seen.configuration.files.stateDirectory)")
      }
    }
  }

  private mutating func checkRuleSet() {
    if !seen.damagedCopies.isEmpty {
      find(
        .warning, .ruleSet, "one copy of the cached rule set cannot be read",
        evidence: seen.damagedCopies.joined(separator: "; "),
        fix: "the agent writes both again when it starts; check the disk with dmesg and fsck")
    }
    switch seen.ruleSet {
    case .failure(let cause):
      find(
        .error, .ruleSet, "the cached rule set cannot be used", evidence: "\(cause)",
        fix: "the next pull replaces it; backhaul check FILE says what is wrong with a rule set")
    case .success(nil):
      if let left = (try? seen.kernel.get()).flatMap({
        Leftovers(in: $0, besides: .holdingEverything(seen.configuration, in: $0))
      }) {
        return find(
          .error, .ruleSet, "no rule set is cached, but the kernel still has what an earlier agent put there",
          evidence: "\(left)",
          fix: "systemctl reload backhaul pulls a rule set; systemctl stop backhaul and backhaul teardown remove it")
      }
      find(
        .warning, .ruleSet, "no rule set is cached, so nothing is steered",
        evidence: "there is none in \(seen.configuration.files.stateDirectory)",
        fix: "check rule_set.source in agent.toml; backhaul status shows what it answers")
    case .success: break
    }
  }

  // MARK: The router's own services

  private mutating func checkClock() {
    guard let clock = value(seen.clock, .clock, "the clock"), !clock.isSynchronised else { return }
    find(
      .warning, .clock, "the clock is not synchronised: certificates and forces may expire too early or too late",
      evidence: "adjtimex: unsynchronised, at most \(clock.maximumError.inSeconds) s off",
      fix: "timedatectl set-ntp true, or chronyc tracking")
  }

  private mutating func checkResolver() {
    guard let servers = value(seen.nameservers, .dns, "/etc/resolv.conf") else { return }
    // A source that is a file or an address needs none.
    let name = seen.configuration.ruleSet.location.hostName
    if servers.isEmpty {
      guard let name else { return }
      find(
        .error, .dns, "no nameserver is configured, but the rule set's source is a name: \(name)",
        evidence: "/etc/resolv.conf lists none",
        fix: "add nameserver ADDRESS to /etc/resolv.conf, or check the uplink's DHCP client")
      return
    }
    let answering = servers.contains { if case .answered = $0.answer { true } else { false } }
    for server in servers {
      let severity: Finding.Severity = name != nil && !answering ? .error : .warning
      switch server.answer {
      case .answered: continue
      case .failed(let code):
        find(
          severity, .dns,
          name.map { "nameserver \(server.address) does not know \($0)" }
            ?? "nameserver \(server.address) answers with an error",
          evidence: "RCODE \(code)" + (Self.codes[code].map { " (\($0))" } ?? ""),
          fix: "dig @\(server.address) \(name ?? ". NS")")
      case .silent(let why):
        find(
          severity, .dns, "nameserver \(server.address) does not answer", evidence: why,
          fix:
            "dig @\(server.address) \(name ?? ". NS"); backhaul explain ROUTER-ADDRESS \(server.address) shows which "
            + "way the question goes")
      }
    }
  }

  private static let codes: [UInt8: String] = [1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"]

  // MARK: charon, kernel, certificates

  private mutating func checkCharon() {
    for word in seen.charon {
      let (evidence, fix) = charonMatter(word.concern)
      find(word.isError ? .error : .warning, .charon, word.text, evidence: evidence, fix: fix)
    }
  }

  private func charonMatter(_ concern: CharonWord.Concern) -> (evidence: String, fix: String) {
    let ipsec = seen.configuration.ipsec
    switch concern {
    case .settings:
      return (
        "\(ipsec.strongswanConfiguration) and what it includes",
        "put backhaul.conf into /etc/strongswan.d, then systemctl restart strongswan"
      )
    case .secrets:
      return ("the files that the profile names", "put the file there, readable by the agent's user alone (chmod 600)")
    case .proposals:
      return ("what charon says it offers", "use other proposals in the profile, or load the plugin that has them")
    case .daemon:
      return ("the socket \(ipsec.viciSocket)", "systemctl start strongswan, or check ipsec.vici_socket in agent.toml")
    }
  }

  private mutating func checkFeatures() {
    let ruleSet = (try? seen.ruleSet.get()) ?? nil
    for feature in KernelFeature.needed(by: ruleSet) {
      guard let lack = seen.features.lack(of: feature) else { continue }
      find(
        .error, .kernel, "the kernel has no \(feature.name)", evidence: lack,
        fix: "use a kernel with CONFIG_\(feature.symbol)"
          + (feature.module.map {
            ", or install its module "
              + "\($0)"
          } ?? ""))
    }
    checkFlowtable()
  }

  /// Only where it is asked for: without it connections are merely slower.
  private mutating func checkFlowtable() {
    guard seen.configuration.kernel.usesFlowtable else { return }
    let features = seen.features
    let lack =
      FastPath.isTooOld(features.release)
      ? "\(features.release) is older than 6.1" : KernelFeature.flowtable.lazy.compactMap(features.lack).first
    guard let lack else { return }
    find(
      .warning, .offload, "kernel.flowtable is set in agent.toml, and this kernel cannot offload connections",
      evidence: lack,
      fix:
        "use a kernel from 6.1 on with CONFIG_NF_FLOW_TABLE_INET and CONFIG_NFT_FLOW_OFFLOAD, or set kernel.flowtable to "
        + "false")
  }

  private mutating func checkLibraries() {
    guard let trouble = seen.transferTrouble else { return }
    find(
      .error, .libraries, "libcurl cannot be loaded: no rule set can be pulled and no HTTP probe can be sent",
      evidence: trouble,
      fix:
        "reinstall the library that this names (Debian: apt install --reinstall libcurl4 libssl3), and restart backhaul"
    )
  }

  /// A fleet's certificates are renewed by hand often enough: a month is time to do it.
  static var notice: Double { 30 * 86_400 }

  private mutating func checkCertificates() {
    for file in seen.certificates {
      switch file.validities {
      case .failure(let cause):
        find(
          .error, .certificates, "the certificate of \(file.purpose) cannot be read",
          evidence: "\(file.path): \(cause)",
          fix: "openssl x509 -in \(file.path) -noout -dates")
      case .success(let all): checkDates(all, file)
      }
    }
  }

  /// Expired authorities in a bundle are its maintainers' business, as long as one is valid.
  private mutating func checkDates(_ all: [CertificateValidity], _ file: CertificateFile) {
    let now = seen.now.secondsSince1970
    guard let last = all.max(by: { $0.notAfter < $1.notAfter }) else { return }
    let fix = "put a new certificate into \(file.path)"
    if let early = all.first(where: { $0.notBefore > seen.now }), all.allSatisfy({ $0.notBefore > seen.now }) {
      find(
        .error, .certificates, "the certificate of \(file.purpose) is not valid yet",
        evidence: "\(file.path): not before \(early.notBefore.text), and this router's clock says \(seen.now.text)",
        fix: "set the clock, or \(fix)")
    } else if last.notAfter <= seen.now {
      find(
        .error, .certificates, "the certificate of \(file.purpose) has expired",
        evidence: "\(file.path): not after \(last.notAfter.text), and this router's clock says "
          + "\(seen.now.text)", fix: fix)
    } else if last.notAfter.secondsSince1970 - now < Self.notice {
      let days = Int((last.notAfter.secondsSince1970 - now) / 86_400)
      find(
        .warning, .certificates,
        "the certificate of \(file.purpose) expires in \(days) day\(days == 1 ? "" : "s")",
        evidence: "\(file.path): not after \(last.notAfter.text)", fix: fix)
    }
  }

  // MARK: The disk

  /// The journal takes 1 MiB, and a rule set is written beside the existing one.
  static var leastFree: UInt64 { 2 << 20 }

  private mutating func checkState() {
    if let trouble = seen.journalTrouble {
      find(
        .warning, .journal, "the journal on disk cannot be read", evidence: trouble,
        fix: "the disk of \(seen.configuration.files.stateDirectory): check it with dmesg and fsck")
    }
    guard let state = value(seen.state, .state, "the state directory") else { return }
    if !state.damaged.isEmpty {
      find(
        .warning, .state, "files that the agent had saved were damaged, and it went on without them",
        evidence: "set aside in \(state.path): \(state.damaged.joined(separator: ", "))",
        fix: "check the disk with dmesg and fsck; look at the files, then delete them")
    }
    if let obstacle = state.obstacle {
      find(
        .error, .state, "nothing can be written to \(state.path): a restart would not know which rule set ran last",
        evidence: obstacle, fix: "mount -o remount,rw its file system, or chown and chmod it for the agent's user")
    } else if state.freeBytes < Self.leastFree || state.freeFiles == 0 {
      let files = state.freeFiles.map { ", \($0) inodes" } ?? ""
      find(
        .error, .state, "the disk of \(state.path) is full",
        evidence: "\(state.freeBytes >> 10) KiB\(files) free, but 2048 KiB are needed",
        fix: "df -h \(state.path); df -i \(state.path)")
    }
  }
}
