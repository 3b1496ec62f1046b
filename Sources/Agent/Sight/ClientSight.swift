package import Core
package import RuleSets

/// Looks at what happens to clients' packets, regularly and soon after each change. It asks the kernel which way they
/// go, checks each source against the devices, and reads how far how many of each rule's packets get. It only reports
/// what it finds; nothing else follows from it.
///
/// It has sockets of its own, and no probe or repair waits for it.
package actor ClientSight {
  /// The time between two looks where everything is as it should be.
  package static let period: Duration = .seconds(5)
  /// The time between two looks where something is suspected.
  static let suspicion: Duration = .milliseconds(1_050)
  /// The pause before a look, so that changes that come together are looked at together.
  static let settleTime: Duration = .milliseconds(150)
  /// Findings older than this are worth nothing.
  static let lasting: Duration = .seconds(20)
  /// The most questions to the kernel in one look, some 10 µs each. Rules that are left out come first the next time.
  static let mostQuestions = 512

  let port: any SightPort
  let traffic: any TrafficPort
  private let watch: PathWatch
  private let reconciler: Reconciler
  let configuration: AgentConfiguration
  private let events: any EventSink
  private let surroundings: any Surroundings
  private let bell: SightBell
  /// The connection tracking table while it is full, which hits every client's new connections; nil while it has
  /// room.
  private let fullTable: @Sendable () async -> ConnectionTable.Reading?

  var sights: [Name: RuleSight] = [:]
  var answers: [Returning: AnswerEvidence] = [:]
  /// What was last reported for each rule.
  private var told: [Name: (state: TrafficFinding.State, finding: TrafficFinding?, since: Instant)] = [:]
  private var choices: [Name: RuleSelection.Choice] = [:]
  private var trial: (revision: UInt64, trial: NftTrial)?
  private var knownForward: (revision: UInt64, surroundings: ActualState, trial: ForwardTrial)?
  var knownTraffic: (at: Instant, traffic: [InterfaceName: Traffic])?
  var knownOffloads: (at: Instant, marks: Set<Mark>)?
  var knownFilters: (at: Instant, generation: UInt32, seen: SeenFilters)?
  private var looked: Instant?
  private var trouble: String?
  private var asked = 0
  private var unasked: [Name] = []

  package init(
    port: any SightPort, traffic: any TrafficPort, watch: PathWatch, reconciler: Reconciler,
    configuration: AgentConfiguration, events: any EventSink, surroundings: any Surroundings,
    bell: SightBell = SightBell(), fullTable: @escaping @Sendable () async -> ConnectionTable.Reading? = { nil }
  ) {
    self.fullTable = fullTable
    self.port = port
    self.traffic = traffic
    self.watch = watch
    self.reconciler = reconciler
    self.configuration = configuration
    self.events = events
    self.surroundings = surroundings
    self.bell = bell
  }

  /// Runs until cancelled.
  package func run() async {
    bell.ring()
    for await _ in bell.rung {
      await surroundings.pause(Self.settleTime)
      if Task.isCancelled { return }
      await look()
      let next = isSuspicious ? Self.suspicion : Self.period
      let alarm = surroundings.alarm(after: next) { [bell] in bell.ring() }
      // One that rings beside another bell is one look more.
      pending?.cancel()
      pending = alarm
    }
  }
  private var pending: Alarm?

  private var isSuspicious: Bool {
    sights.values.contains(where: \.isSuspicious) || answers.values.contains(where: \.isSuspicious)
  }

  /// A rule and a device that its traffic has left by.
  struct Returning: Hashable {
    var rule: Name
    var device: InterfaceName
  }

  // MARK: - What is known

  /// What was last seen.
  package struct View: Equatable, Sendable {
    /// The verdict on one rule's traffic, since when it stands, and what it rests on.
    package struct Rule: Equatable, Sendable {
      package var state: TrafficFinding.State
      package var since: Instant
      package var findings: [TrafficFinding]
    }
    /// The enabled rules' verdicts.
    package var rules: [Name: Rule] = [:]
    package var looked: Instant?
    package var asked = 0
    /// Rules that the last look had no room for.
    package var unasked: [Name] = []
    /// Why the kernel could not be asked; nil if it could.
    package var trouble: String?
  }

  package var view: View {
    View(
      rules: sights.mapValues { View.Rule(state: $0.state, since: $0.since, findings: $0.findings) }, looked: looked,
      asked: asked, unasked: unasked, trouble: trouble)
  }

  // MARK: - A look

  /// Takes one look, and records an event for each rule whose verdict changed. Where the kernel cannot be asked,
  /// `trouble` says why, and verdicts lapse once nothing was seen for 20 seconds.
  package func look() async {
    guard let layout = await reconciler.layout else {
      (sights, told, choices) = ([:], [:], [:])
      return
    }
    let surroundings = await reconciler.surroundings
    // Even with a thousand paths, only the probes of those that clients use.
    let snapshot = await watch.snapshot(of: .some(Set(choices.values.flatMap(\.paths).map(\.text))))
    let overflow = (await fullTable()).map {
      TrafficFinding.connectionTableFull(used: $0.used, limit: $0.limit, dropped: UInt64(clamping: $0.refused))
    }
    let now = snapshot.at
    keep(snapshot.plan.rules.map(\.rule.name) + snapshot.steeredAlone.map(\.egress.name), snapshot, at: now)
    do throws(KernelFailure) {
      let network = try port.network(tables: Set(layout.activeEgresses.map(\.table)))
      let rules = SightedRule.all(snapshot, layout, network, surroundings.exits, leading: leading)
      let counts = try port.counted(in: chains(rules, layout))
      ask(rules, SightedNetwork(network, snapshot, layout, surroundings), counts, layout, overflow, at: now)
      (looked, trouble) = (now, nil)
    } catch {
      trouble = error.description
      if looked.map({ now - $0 >= Self.lasting }) ?? true { for name in sights.keys { sights[name]?.lost(at: now) } }
    }
    tell(Set(snapshot.steeredAlone.map(\.egress.name)), at: now)
  }

  /// Follows rules that come and go, and flips.
  private func keep(_ names: [Name], _ snapshot: WatchSnapshot, at now: Instant) {
    sights = sights.filter { names.contains($0.key) }
    told = told.filter { names.contains($0.key) }
    for name in names {
      let choice = (snapshot.selections[name] ?? snapshot.steered[name]?.selection)?.choice
      if sights[name] == nil { sights[name] = RuleSight(at: now) }
      if choices[name] != choice { sights[name]?.turned(at: now) }
      choices[name] = choice
    }
    let devices = Set(snapshot.plan.paths.map(\.device))
    answers = answers.filter { names.contains($0.key.rule) && devices.contains($0.key.device) }
  }

  /// The device that main has for an address, by a route of its own.
  private func leading(_ address: IPv4Address) -> InterfaceName? {
    let question = LookupQuestion(source: IPv4Address(value: 0), destination: address, incoming: nil, mark: 0)
    guard case .out(let device, _, _)? = try? port.answer(to: question),
      let prefix = try? port.grounds(for: question).entry, prefix.length > 0
    else { return nil }
    return device
  }

  private func chains(_ rules: [SightedRule], _ layout: Layout) -> [String] {
    let places = rules.filter(\.isCounted).flatMap { rule in
      CountedPlace.allCases.map { $0.chain(of: rule.egress) }
    }
    let ends = rules.filter(\.isCounted).flatMap { rule in
      rule.returnChains.map(\.chain) + rule.carryingChains + rule.strayChains.values
    }
    return Set(places).sorted() + Set(ends).sorted()
  }

  private func ask(
    _ rules: [SightedRule], _ network: SightedNetwork, _ counts: SeenCounts, _ layout: Layout,
    _ overflow: TrafficFinding?, at now: Instant
  ) {
    asked = 0
    let leaks = leaks(layout, network)
    var left: [Name] = []
    // Rules that were left out the last time come first.
    let first = unasked
    for rule in rules.filter({ first.contains($0.name) }) + rules.filter({ !first.contains($0.name) }) {
      guard asked < Self.mostQuestions else {
        left.append(rule.name)
        continue
      }
      var found = rule.isSteered ? [] : issues(of: rule, layout)
      if let (finding, questions) = misled(rule, network, layout) {
        asked += questions
        if let finding { found.append(finding) }
      }
      found += leaks[rule.name] ?? []
      if let overflow { found.append(overflow) }
      let certain = lost(rule, counts, network, layout, at: now)
      sights[rule.name]?.looked(found, certain: certain, isWhole: rule.choice != nil, at: now)
    }
    unasked = left
  }

  /// By rule: IPv6 that should be blocked but leaves.
  private func leaks(_ layout: Layout, _ network: SightedNetwork) -> [Name: [TrafficFinding]] {
    let blocks = IPv6Blocks(layout, network.surroundings.addresses).all
    guard !blocks.isEmpty, let seen = try? port.ipv6(), seen.isForwarded else { return [:] }
    let rules = seen.rules.filter { $0.priority < network.last }
    let lans = Set(layout.configuration.lans + blocks.map(\.interface))
    var found: [Name: [TrafficFinding]] = [:]
    for block in blocks where network.snapshot.links[block.interface] != nil {
      let questions = IPv6Question.all(
        from: block.interface, addresses: seen.addresses[block.interface] ?? [], rules: rules)
      for question in questions {
        asked += 1
        guard let answer = try? port.answer(to: question) else { continue }
        let leak = question.leak(
          answer, rules: rules, before: network.last, lans: lans,
          isHeld: { forwardTrial(layout, network.surroundings).holdsIPv6(from: block.interface, leavingBy: $0) })
        guard let leak else { continue }
        found[block.rule, default: []].append(.leaking(leak))
        break
      }
    }
    return found
  }

  /// Made where something goes another way alone: the table may be large.
  func forwardTrial(_ layout: Layout, _ surroundings: ActualState) -> ForwardTrial {
    let revision = layout.ruleSet.revision
    if let known = knownForward, known.revision == revision, known.surroundings == surroundings { return known.trial }
    let trial = ForwardTrial(layout, surroundings)
    knownForward = (revision, surroundings, trial)
    return trial
  }

  private func issues(of rule: SightedRule, _ layout: Layout) -> [TrafficFinding] {
    rule.survey.issues.map { issue in
      guard let sample = issue.sample, takes(sample, rule, layout) else { return .untaken(issue) }
      return .misnamed(issue)
    }
  }

  /// By our own table as it should be: that the kernel has it so the reconciler sees to.
  private func takes(_ entrance: SourceSurvey.Entrance, _ rule: SightedRule, _ layout: Layout) -> Bool {
    let revision = layout.ruleSet.revision
    if trial?.revision != revision { trial = (revision, NftTrial(layout)) }
    guard let destination = rule.destinations.joined().first else { return false }
    return trial?.trial.takes(entrance, for: rule.name, to: destination) ?? false
  }

  /// What leads the rule's packets elsewhere, and how much was asked; nil: its way is not known, or carries nothing.
  private func misled(
    _ rule: SightedRule, _ network: SightedNetwork, _ layout: Layout
  ) -> (finding: TrafficFinding?, questions: Int)? {
    guard let wanted = rule.wanted else { return nil }
    var questions = 0
    func judgement(of question: WayQuestion) -> WayQuestion.Judgement? {
      questions += 1
      // A device that went just now answers nothing; its event brings the next look.
      guard let answer = try? port.answer(to: question.lookup) else { return nil }
      return question.judge(
        answer, rules: network.rules, before: network.last, routes: network.routes,
        grounds: { (try? port.grounds(for: question.lookup)).map { ($0.entry, $0.isForwarded) } },
        unchecked: { try? port.answer(to: question.unchecked) }, deadEnd: { (try? port.deadEnd()) ?? nil },
        isHeld: { device in
          forwardTrial(layout, network.surroundings).holds(
            question.entrance, to: question.destination, mark: question.mark,
            by: network.nameInForward(of: question.entrance.device), leavingBy: device)
        })
    }
    for entrance in rule.survey.entrances.prefix(SightedNetwork.mostEntrances) {
      for destinations in rule.destinations {
        for destination in destinations {
          let judgement = judgement(
            of: WayQuestion(
              entrance, to: destination, mark: rule.mark, wanted: wanted, shut: rule.shut, table: rule.table))
          if case .found(let finding)? = judgement { return (finding, questions) }
          if judgement == .asWanted || judgement == nil { break }
        }
      }
    }
    for question in network.singledOut(of: rule, wanted) {
      // A device that went answers nothing, and each of these may be of another.
      if case .found(let finding)? = judgement(of: question) { return (finding, questions) }
    }
    return (nil, questions)
  }

  // MARK: - What is told

  /// - Parameter steered: those of them that are egresses.
  private func tell(_ steered: Set<Name>, at now: Instant) {
    for (name, sight) in sights.sorted(by: { $0.key < $1.key }) {
      let finding = sight.findings.first
      let noun = steered.contains(name) ? "egress" : "rule"
      let before = told[name]
      guard sight.state != .unseen, sight.state != before?.state || !isSame(finding, before?.finding) else { continue }
      told[name] = (sight.state, finding, now)
      let wasBad = before.map { Self.isBad($0.state) } ?? false
      guard let finding, Self.isBad(sight.state) else {
        if wasBad, let before { tellRestored(name, noun, after: now - before.since) }
        continue
      }
      let kind: AgentEvent.Kind = sight.state == .obstructed ? .trafficObstructed : .trafficDiverted
      var details = ["cause": finding.cause, "state": sight.state.rawValue]
      if let device = finding.device { details["device"] = device.text }
      events.record(AgentEvent(kind, name.text, "\(noun) \(name): its traffic \(finding.cause)", details: details))
    }
  }

  private func tellRestored(_ name: Name, _ noun: String, after lasted: Duration) {
    events.record(
      AgentEvent(
        .trafficRestored, name.text, "\(noun) \(name): its traffic goes as the \(noun) says again",
        details: ["duration_seconds": AgentEvent.seconds(lasted)]))
  }

  private static func isBad(_ state: TrafficFinding.State) -> Bool { state < .misnamed }

  private func isSame(_ left: TrafficFinding?, _ right: TrafficFinding?) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return left.isSame(as: right)
  }
}
