internal import Core
package import RuleSets
internal import Synchronization

/// Keeps the sets of steering rules with domains filled: tells the router's resolver of them by a file, and asks it for
/// what it will not put in, as it answers that from its cache.
///
/// The kernel renews no address that is there, and dnsmasq says no time: so the rules' own domains are asked for again at
/// half of the time that a set holds an address, which renews them. Names below them are not known, and get their time when
/// the resolver next finds them.
package actor DomainKeeper {
  static let renewal: Duration = NftSet.fedTimeout / 2
  /// Questions under way: far fewer than a resolver forwards at once (dnsmasq: 150).
  static let together = 16
  /// Between one handful of questions and the next.
  static let pace: Duration = .milliseconds(50)
  /// After the resolver was silent, doubling up to `longestPause`.
  static let shortestPause: Duration = .seconds(2)
  static let longestPause: Duration = .seconds(300)
  /// An answer with many addresses is many events.
  static let burst: Duration = .milliseconds(50)

  private let resolver: any ResolverPort
  private let store: any ResolverListStore
  private let sets: any FedSetPort
  private let watch: PathWatch
  private let table: String
  private let events: any EventSink
  private let time: any Surroundings

  private var list = ResolverList([])
  private var asked: [DomainName: Instant] = [:]
  /// Why the file cannot be written; told once.
  private var trouble: String?
  /// Since when nobody answers; nil: somebody does.
  private var silentSince: Instant?
  private var pause = DomainKeeper.shortestPause
  private let heard = Mutex<[Name: Set<IPv4Address>]>([:])
  private let bell: AsyncStream<Void>
  private nonisolated let ring: AsyncStream<Void>.Continuation
  private let news: AsyncStream<Void>
  private nonisolated let tell: AsyncStream<Void>.Continuation

  /// - Parameter table: the name of ours.
  package init(
    resolver: any ResolverPort, store: any ResolverListStore, sets: any FedSetPort, watch: PathWatch, table: String,
    events: any EventSink, surroundings: any Surroundings
  ) {
    (self.resolver, self.store, self.sets) = (resolver, store, sets)
    (self.watch, self.table, self.events, time) = (watch, table, events, surroundings)
    (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    (news, tell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// Works until cancelled.
  package func run() async {
    await withTaskGroup { group in
      group.addTask { await self.askAround() }
      group.addTask { [news, time] in
        for await _ in news {
          await time.sleep(Self.burst)
          await self.passOn()
        }
      }
    }
  }

  /// The kernel has the sets of those of these rules that are enabled; some may be new.
  package func follow(_ rules: [SteeringRule]) {
    let new = ResolverList(rules.filter(\.enabled))
    guard !(new.isEmpty && list.isEmpty && trouble == nil) || !isFileKnown else { return }
    list = new
    asked = asked.filter { new.sets[$0.key] != nil }
    keepFile()
    forgetWhatIsEmpty()
    ring.yield()
  }

  // MARK: - The resolver's file

  private var isFileKnown = false

  private func keepFile() {
    let text = list.text(table: table)
    do throws(StoreFailure) {
      let present = try store.load()
      isFileKnown = true
      if present != text {
        try store.save(text)
        // A router without domains has no use for a resolver that is restarted.
        if present != nil || !list.isEmpty {
          events.record(
            AgentEvent(
              .resolverRestartNeeded, "resolver",
              "steering rules have other domains: dnsmasq knows them once it is restarted, if its configuration has "
                + "conf-file=\(store.path)",
              details: ["file": store.path]))
        }
      }
      trouble = nil
    } catch {
      if trouble == nil {
        events.record(
          AgentEvent(.storeFailed, "resolver", "the resolver's file cannot be kept, will try again: \(error)"))
      }
      trouble = error.description
    }
  }

  // MARK: - What the resolver will not say by itself

  /// A set that holds nothing is new, or was flushed.
  private func forgetWhatIsEmpty() {
    var empty: Set<String> = []
    for set in Set(list.sets.values.joined()) {
      if (try? sets.held(by: set))?.isEmpty ?? true { empty.insert(set) }
    }
    for (domain, into) in list.sets where !empty.isDisjoint(with: into) { asked[domain] = nil }
  }

  private func askAround() async {
    while !Task.isCancelled {
      let due = due
      if due.isEmpty {
        await rest()
      } else if await ask(due) {
        await time.sleep(Self.pace)
      } else {
        await time.sleep(pause)
        pause = min(pause * 2, Self.longestPause)
      }
      if trouble != nil { keepFile() }
    }
  }

  /// Until there may be something to ask.
  private func rest() async {
    let next = asked.values.min().map { $0 + Self.renewal - time.now } ?? Self.renewal
    let alarm = time.alarm(after: max(min(next, Self.longestPause), Self.pace)) { [ring] in ring.yield() }
    for await _ in bell { break }
    alarm.cancel()
  }

  /// Those that were never asked for first.
  private var due: [DomainName] {
    let now = time.now
    let due = list.sets.keys.filter { asked[$0].map { now - $0 >= Self.renewal } ?? true }
    return Array(due.sorted().prefix(Self.together))
  }

  /// False if nobody answered.
  private func ask(_ domains: [DomainName]) async -> Bool {
    let answers: [DomainName: DomainQuestion.Answer]
    do throws(KernelFailure) { answers = try await resolver.ask(domains) } catch {
      noteSilence(error.description)
      return false
    }
    guard !answers.isEmpty else {
      noteSilence("no answer to \(domains.count) question\(domains.count == 1 ? "" : "s")")
      return false
    }
    noteWord()
    var found: [String: [IPv4Address]] = [:]
    for domain in domains {
      // The next one comes at its turn.
      asked[domain] = time.now
      guard case .addresses(let addresses)? = answers[domain] else {
        // What the resolver could not find out it may know soon.
        asked[domain] = time.now - Self.renewal + Self.longestPause
        continue
      }
      for set in list.sets[domain] ?? [] { found[set, default: []] += addresses }
    }
    for (set, addresses) in found where !addresses.isEmpty { await put(addresses, into: set) }
    return true
  }

  private func put(_ addresses: [IPv4Address], into set: String) async {
    do throws(KernelFailure) {
      let before = Set(try sets.held(by: set))
      try sets.add(Set(addresses).sorted(), to: set)
      guard let rule = EdgeCompiler.rule(ofDomainSet: set) else { return }
      let new = addresses.filter { !before.contains($0) }
      if !new.isEmpty { learnt(rule, new) }
    } catch {
      // The set went meanwhile, or is full: the next rule set or renewal says.
    }
  }

  private func noteSilence(_ why: String) {
    guard silentSince == nil else { return }
    silentSince = time.now
    events.record(
      AgentEvent(
        .resolverSilent, "resolver",
        "the router's resolver does not answer at 127.0.0.1, so steering rules miss what it has in its cache: \(why)"))
  }

  private func noteWord() {
    pause = Self.shortestPause
    guard let since = silentSince else { return }
    silentSince = nil
    events.record(
      AgentEvent(
        .resolverAnswers, "resolver", "the router's resolver answers again",
        details: ["duration_seconds": AgentEvent.seconds(time.now - since)]))
  }

  // MARK: - What it has found

  /// A rule's set has new addresses; none: has lost some. Does not block; called from any thread.
  package nonisolated func learnt(_ rule: Name, _ addresses: [IPv4Address]) {
    heard.withLock { $0[rule, default: []].formUnion(addresses) }
    tell.yield()
  }

  private func passOn() async {
    let all = heard.withLock { heard in
      defer { heard = [:] }
      return heard
    }
    if all.values.contains(where: \.isEmpty) {
      forgetWhatIsEmpty()
      ring.yield()
    }
    for (rule, addresses) in all.sorted(by: { $0.key < $1.key }) {
      await watch.learnt(AddressRanges.merged(addresses.map { $0.value...$0.value }), of: rule)
    }
  }
}
