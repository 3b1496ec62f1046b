internal import Agent
package import Core
internal import Cryptography
internal import Glibc
internal import RuleSets
internal import Transfer

/// Looks at everything that `Doctor` judges, on the Linux that this process runs in. It changes nothing, and ends within
/// some ten seconds whatever is wrong.
package struct Examiner {
  private typealias Unseen = Examination.Unseen

  private let configuration: AgentConfiguration

  package init(_ configuration: AgentConfiguration) { self.configuration = configuration }

  /// - Parameter agent: what the agent said about itself, or why it did not.
  package func examine(agent: Result<AgentSigns, Examination.Unseen>) -> Examination {
    let kept = KeptGenerations(in: configuration.files.stateDirectory)
    let stored = seeing { () throws(StoreFailure) in try kept.usable() }
    let ruleSet = stored.flatMap { stored in decoded(stored) }
    let kernel = seeing { () throws(KernelFailure) in
      try LinuxKernel(configuration.kernel, stateDirectory: configuration.files.stateDirectory).read(expecting: nil)
    }
    let known = (try? ruleSet.get()) ?? nil
    return Examination(
      configuration: configuration, now: WallClock.now, agent: agent, ruleSet: ruleSet, kernel: kernel,
      foreign: seeing { () throws(KernelFailure) in try LinuxForeign(configuration.kernel).foreign() },
      clock: seeing { () throws(SystemCallFailure) in try KernelClock.condition() },
      nameservers: seeing { () throws(SystemCallFailure) in
        try NameserverCheck.ask(for: configuration.ruleSet.location.hostName ?? "")
      }, sizes: sizes((try? stored.get()) ?? nil, known, kernel),
      charon: known.map { CharonCheck(configuration).findings($0) } ?? [],
      features: KernelBuild.evidence(links: (try? kernel.get().links) ?? [:]),
      certificates: certificates(known),
      state: seeing { () throws(SystemCallFailure) in
        try StateDirectoryCheck.look(at: configuration.files.stateDirectory)
      }, connections: seeing { () throws(KernelFailure) in try LinuxConnectionTable().reading() },
      journalTrouble: journalTrouble,
      damagedCopies: kept.current == nil ? [] : kept.confirmed.damage.map(\.description),
      transferTrouble: TransferEngine.libraryTrouble,
      timeZone: seeing { () throws(StoreFailure) in try LinuxTimeZone().timeZone() },
      domains: domains(known))
  }

  private func domains(_ ruleSet: RuleSet?) -> Result<DomainSigns, Examination.Unseen> {
    let file = FileResolverList(directory: configuration.files.stateDirectory).path
    guard let name = ruleSet?.steeringRules.filter(\.enabled).flatMap(\.match.domains).first else {
      return .failure(Unseen("no steering rule has domains"))
    }
    return seeing { () throws(SystemCallFailure) in try DomainCheck.look(at: file, asking: name) }
  }

  private func seeing<Value, E: Error & CustomStringConvertible>(
    _ look: () throws(E) -> Value
  ) -> Result<Value, Examination.Unseen> {
    do throws(E) { return .success(try look()) } catch { return .failure(Unseen("\(error)")) }
  }

  private func decoded(_ stored: StoredRuleSet?) -> Result<RuleSet?, Examination.Unseen> {
    guard let stored else { return .success(nil) }
    return seeing { () throws(Complaints) -> RuleSet? in
      try RuleSetDecoder.decode(stored.bytes, limits: .init(bytes: configuration.ruleSet.maximumBytes))
    }
  }

  private func sizes(
    _ stored: StoredRuleSet?, _ ruleSet: RuleSet?, _ kernel: Result<ActualState, Examination.Unseen>
  ) -> Result<[PathSize], Examination.Unseen> {
    guard let stored, let ruleSet, let actual = try? kernel.get(),
      let slots = Layout.slots(ruleSet, configuration, after: stored.slots)
    else { return .success([]) }
    let compiler = EdgeCompiler(Layout(ruleSet, configuration, slots), actual)
    return seeing { () throws(SystemCallFailure) in try PathSizeCheck.measure(PathSizeCheck.targets(compiler)) }
  }

  private func certificates(_ ruleSet: RuleSet?) -> [CertificateFile] {
    configuration.certificates(of: ruleSet).map { named in
      let validities = seeing { () throws(SystemCallFailure) -> [CertificateValidity] in
        try certificateValidities(named.path)
      }
      return CertificateFile(path: named.path, purpose: named.purpose, validities: validities)
    }
  }

  private func certificateValidities(_ path: String) throws(SystemCallFailure) -> [CertificateValidity] {
    let bytes = try BoundedFile.read(path, atMost: Certificate.mostBytes)
    do throws(CertificateFailure) {
      return try Certificate.all(in: bytes).map(CertificateValidity.init)
    } catch {
      let detail = error == .none ? "" : " (\(error))"
      throw SystemCallFailure("read \(path)", cause: "it holds no certificate, or one that is damaged\(detail)")
    }
  }

  /// One that was never begun is no trouble.
  private var journalTrouble: String? {
    let directory = configuration.files.stateDirectory
    guard access("\(directory)/journal", F_OK) == 0 else { return nil }
    do throws(StoreFailure) {
      _ = try FileJournal.read(directory: directory)
      return nil
    } catch {
      return "\(error)"
    }
  }
}

extension KeptGenerations {
  /// Throws if one was accepted once and is lost.
  fileprivate func usable() throws(StoreFailure) -> StoredRuleSet? {
    if let current { return current }
    if let first = confirmed.damage.first { throw first }
    guard confirmed.wasAccepted else { return nil }
    throw StoreFailure(operation: "read the cached rule set", cause: "there was one, and it is gone")
  }
}

extension CertificateValidity {
  fileprivate init(_ certificate: Certificate) {
    self.init(notBefore: WallTime(certificate.notBefore), notAfter: WallTime(certificate.notAfter))
  }
}

extension WallTime {
  fileprivate init(_ time: CertificateTime) { self.init(secondsSince1970: Double(time.secondsSince1970)) }
}
