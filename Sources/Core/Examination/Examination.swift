package import RuleSets

/// What was seen of a router and its surroundings in one look: `Doctor` says what is wrong with it.
package struct Examination: Sendable {
  /// Why something could not be looked at, in words.
  package struct Unseen: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
  }

  package var configuration: AgentConfiguration
  package var now: WallTime
  /// What the agent says about itself; a failure: none answers.
  package var agent: Result<AgentSigns, Unseen>
  /// The one in the state directory; nil if none is cached.
  package var ruleSet: Result<RuleSet?, Unseen>
  /// Copies of it that cannot be read, while another can.
  package var damagedCopies: [String]
  package var kernel: Result<ActualState, Unseen>
  package var foreign: Result<ForeignObjects, Unseen>
  package var clock: Result<ClockCondition, Unseen>
  /// Which one the router's files say.
  package var timeZone: Result<RouterTimeZone, Unseen>
  package var nameservers: Result<[Nameserver], Unseen>
  /// Looked at only where steering rules have domains.
  package var domains: Result<DomainSigns, Unseen>
  /// Only paths whose far end answers pings.
  package var sizes: Result<[PathSize], Unseen>
  package var charon: [CharonWord]
  package var features: KernelEvidence
  package var certificates: [CertificateFile]
  package var state: Result<StateDirectory, Unseen>
  /// Nil if the kernel tracks no connections.
  package var connections: Result<ConnectionTable.Reading?, Unseen>
  /// Why the journal on disk cannot be read; nil if it can, or there is none yet.
  package var journalTrouble: String?
  /// Why libcurl cannot be loaded; nil if it can.
  package var transferTrouble: String?

  package init(
    configuration: AgentConfiguration, now: WallTime, agent: Result<AgentSigns, Unseen>,
    ruleSet: Result<RuleSet?, Unseen>, kernel: Result<ActualState, Unseen>, foreign: Result<ForeignObjects, Unseen>,
    clock: Result<ClockCondition, Unseen>, nameservers: Result<[Nameserver], Unseen>,
    sizes: Result<[PathSize], Unseen>, charon: [CharonWord], features: KernelEvidence,
    certificates: [CertificateFile], state: Result<StateDirectory, Unseen>,
    connections: Result<ConnectionTable.Reading?, Unseen>, journalTrouble: String?, damagedCopies: [String] = [],
    transferTrouble: String? = nil, timeZone: Result<RouterTimeZone, Unseen> = .success(.unsaid),
    domains: Result<DomainSigns, Unseen> = .failure(Unseen("nobody has looked"))
  ) {
    self.domains = domains
    self.timeZone = timeZone
    self.transferTrouble = transferTrouble
    self.damagedCopies = damagedCopies
    self.configuration = configuration
    self.now = now
    self.agent = agent
    self.ruleSet = ruleSet
    self.kernel = kernel
    self.foreign = foreign
    self.clock = clock
    self.nameservers = nameservers
    self.sizes = sizes
    self.charon = charon
    self.features = features
    self.certificates = certificates
    self.state = state
    self.connections = connections
    self.journalTrouble = journalTrouble
  }
}

/// What the agent says about itself.
package struct AgentSigns: Equatable, Sendable {
  package var applyTrouble: String?
  package var pullTrouble: String?
  package var journalTrouble: String?
  /// What a restart would not know, and why.
  package var notKept: [String]
  /// Why traffic is held off the uplinks, while no rule set is running; nil if none is.
  package var holdCause: String?
  /// Which rule set was rolled back, and why; nil if none was.
  package var rolledBack: String?
  /// What it has seen of clients' packets that is not as it should be.
  package var traffic: [TrafficSign]
  /// Why clients' packets could not be looked at.
  package var sightTrouble: String?

  package init(
    applyTrouble: String? = nil, pullTrouble: String? = nil, journalTrouble: String? = nil, notKept: [String] = [],
    holdCause: String? = nil, rolledBack: String? = nil, traffic: [TrafficSign] = [], sightTrouble: String? = nil
  ) {
    self.rolledBack = rolledBack
    self.notKept = notKept
    self.holdCause = holdCause
    self.traffic = traffic
    self.sightTrouble = sightTrouble
    self.applyTrouble = applyTrouble
    self.pullTrouble = pullTrouble
    self.journalTrouble = journalTrouble
  }
}

/// What the agent has seen of one rule's traffic.
package struct TrafficSign: Equatable, Sendable {
  package var rule: String
  /// The end of a sentence that begins with the traffic.
  package var cause: String
  package var step: String
  package var isError: Bool

  package init(rule: String, cause: String, step: String, isError: Bool) {
    self.rule = rule
    self.cause = cause
    self.step = step
    self.isError = isError
  }
}

/// What the kernel says about its clock (adjtimex(2)).
package struct ClockCondition: Equatable, Sendable {
  package var isSynchronised: Bool
  package var maximumError: Duration

  package init(isSynchronised: Bool, maximumError: Duration) {
    self.isSynchronised = isSynchronised
    self.maximumError = maximumError
  }
}

/// One of resolv.conf, and what it answered.
package struct Nameserver: Equatable, Sendable {
  /// What a name server made of the test query.
  package enum Answer: Equatable, Sendable {
    case answered
    /// An answer that names a failure: the RCODE (RFC 1035 section 4.1.1).
    case failed(code: UInt8)
    case silent(String)
  }

  /// The address as resolv.conf writes it.
  package var address: String
  package var answer: Answer

  package init(address: String, answer: Answer) {
    self.address = address
    self.answer = answer
  }
}

/// How large packets come through a path, none of them to be fragmented.
package struct PathSize: Equatable, Sendable {
  package var path: Name
  /// Nil for an uplink's.
  package var tunnel: Name?
  package var device: InterfaceName
  package var mtu: Int
  /// Bytes of the largest packet that was answered; nil: none at all, so the path is down and nothing is known.
  package var largest: Int?

  package init(path: Name, tunnel: Name?, device: InterfaceName, mtu: Int, largest: Int?) {
    self.path = path
    self.tunnel = tunnel
    self.device = device
    self.mtu = mtu
    self.largest = largest
  }
}

/// Something in which charon cannot do what a rule set asks of it.
package struct CharonWord: Equatable, Sendable {
  /// What a finding about charon concerns; it decides which fix `Doctor` proposes.
  package enum Concern: Equatable, Sendable {
    case settings
    /// The files with the keys and certificates.
    case secrets
    /// What it offers.
    case proposals
    /// It does not answer.
    case daemon
  }

  package var concern: Concern
  package var isError: Bool
  package var text: String

  package init(_ concern: Concern, isError: Bool, text: String) {
    self.concern = concern
    self.isError = isError
    self.text = text
  }
}

/// A file of certificates that the configuration or the rule set names.
package struct CertificateFile: Equatable, Sendable {
  package var path: String
  /// What it is for: `profile branch`, `the rule set's source`.
  package var purpose: String
  package var validities: Result<[CertificateValidity], Examination.Unseen>

  package init(
    path: String, purpose: String, validities: Result<[CertificateValidity], Examination.Unseen>
  ) {
    self.path = path
    self.purpose = purpose
    self.validities = validities
  }
}

/// The disk that the agent keeps its state on.
package struct StateDirectory: Equatable, Sendable {
  package var path: String
  /// Why nothing can be written there; nil if it can.
  package var obstacle: String?
  package var freeBytes: UInt64
  /// Inodes; nil if the file system does not count them.
  package var freeFiles: UInt64?
  /// Names of files that an agent could not read and has set aside.
  package var damaged: [String]

  package init(path: String, obstacle: String?, freeBytes: UInt64, freeFiles: UInt64?, damaged: [String] = []) {
    self.damaged = damaged
    self.path = path
    self.obstacle = obstacle
    self.freeBytes = freeBytes
    self.freeFiles = freeFiles
  }
}
