import Core
internal import RuleSets
import SeededRandom

/// A router with a disk, a source, and an agent that drives a trial as the keeper does. The agent may die between any
/// two writes, the disk may fill, the source may go away; some rule sets take the agent down, or cut it off.
struct TrialWorld<Machine: TrialUnderTest> {
  enum Nature { case good, kills, locks, refused }

  var random: SeededRandom
  /// The agent dies at random, and the disk is sometimes full.
  let isStormy: Bool
  let terms = RuleSetTrial.Terms(awaits: [.source])
  var now = Instant(nanoseconds: 0)
  private(set) var breaches: [String] = []

  // The source
  private var natures: [Nature] = [.good]
  private var newest: Int { natures.count - 1 }
  private var sourceReturns: Instant?
  private var quietUntil = Instant(nanoseconds: 0)

  // The disk
  private var note: RuleSetTrial.Note?
  private var confirmed: Int?
  private var candidate: Int?
  private var isFull = false

  // The agent
  private var machine = Machine(inner: RuleSetTrial())
  private var isAlive = false
  /// What the kernel has, and what this agent put there.
  private var running: Int?
  private var applied: Int?
  private var unsaved: Int?
  /// Writes until it dies; nil: it lives.
  private var doom: Int?
  private var isSettling = false

  // The watched state
  private var deaths: [Int: Int] = [:]
  private var applications: [Int: Int] = [:]
  private var trialTime: Duration = .zero
  private var diskWasFull = false
  private var wasStored = false
  /// The disk did not accept the last note.
  private var noteFailed = false

  init(seed: UInt64, isStormy: Bool) {
    random = SeededRandom(seed: seed)
    self.isStormy = isStormy
  }

  private func checksum(_ number: Int?) -> String? { number.map { "rule set \($0)" } }
  private func number(_ checksum: String) -> Int? { Int(checksum.dropFirst("rule set ".count)) }
  private func nature(_ number: Int?) -> Nature { number.map { natures[$0] } ?? .good }
  private var sourceAnswers: Bool { sourceReturns == nil && nature(running) != .locks }
  private mutating func breach(_ text: String) {
    breaches.append("at \(Int(now.nanoseconds / 1_000_000_000)) s: \(text)")
  }

  // MARK: - Time

  mutating func run(steps: Int) {
    start()
    for _ in 0..<steps where breaches.isEmpty {
      disturb()
      step()
    }
    settle()
  }

  private mutating func disturb() {
    if sourceReturns == nil, now > quietUntil, random.chance(3) {
      // Either so short that it decides nothing, or so long that no rule set can be blamed.
      sourceReturns = now + (random.chance(50) ? .seconds(120) : .seconds(4_000))
    }
    if random.chance(isStormy ? 6 : 2) {
      natures.append(random.chance(60) ? .good : [.kills, .locks, .refused].randomElement(using: &random) ?? .good)
    }
    guard isStormy else { return }
    if random.chance(4) { isFull.toggle() }
    if isFull { diskWasFull = true }
    if isAlive, random.chance(15) { doom = Int.random(in: 0...6, using: &random) }
    if isAlive, random.chance(4) { die("by chance") }
    // The disk loses it, both copies.
    if candidate != nil, random.chance(2) { confirmed = nil }
  }

  private mutating func step() {
    let passed = Duration.seconds(30)
    now = now + passed
    if let back = sourceReturns, now >= back {
      sourceReturns = nil
      quietUntil = now + .seconds(600)
    }
    guard isAlive else { return start() }
    watchTheTime(passed)
    perform(machine.handle(.time, at: now))
    if isAlive { pull() }
    if isAlive, unsaved != nil { saveAtLast() }
  }

  /// What the disk did not accept before.
  private mutating func saveAtLast() {
    switch machine.inner.state {
    case .keeping: keep()
    case .onTrial: perform([.storeCandidate])
    default: break
    }
  }

  /// A rule set that cuts the router off runs no longer than its window plus what deaths may add.
  private mutating func watchTheTime(_ passed: Duration) {
    guard nature(running) == .locks, running != confirmed, confirmed != nil else {
      trialTime = .zero
      diskWasFull = isFull
      return
    }
    trialTime += passed
    if trialTime > terms.window * 3 / 2 + .seconds(90), !diskWasFull {
      breach("what cut the router off runs for \(trialTime)")
    }
  }

  /// From here on nothing goes wrong.
  private mutating func settle() {
    guard breaches.isEmpty else { return }
    (doom, isFull) = (nil, false)
    isSettling = true
    if isStormy {
      // The rule set that was blamed for chance.
      sourceReturns = nil
      if !isAlive { start() }
      perform(machine.handle(.askedAgain, at: now))
    }
    let before = applications
    for _ in 0..<200 {
      (doom, isFull) = (nil, false)
      step()
    }
    // The very first rule set has nothing to be rolled back to: if it cuts the router off, nothing can help.
    if nature(running) == .locks, confirmed == running || confirmed == nil { return }
    let bad = natures[newest] != .good
    if !bad, running != newest || confirmed != newest {
      breach("\(newest) is good, and \(running ?? -1) runs, \(confirmed ?? -1) is confirmed: \(machine.inner.state)")
    }
    if running == nil, confirmed != nil || !bad { breach("nothing runs") }
    if nature(running) == .locks { breach("what cuts the router off runs at last") }
    for (number, count) in applications where natures[number] == .locks && number != confirmed {
      if count - (before[number] ?? 0) > 2 { breach("\(number) cuts the router off, and is applied \(count) times") }
    }
  }

  // MARK: - The agent

  private mutating func die(_ why: String) {
    isAlive = false
    doom = nil
    unsaved = nil
    applied = nil
    // A power cut, or a kill while the kernel keeps running.
    if random.chance(50) { running = nil }
  }

  private mutating func start() {
    let kept = RuleSetTrial.Kept(note: note, confirmed: checksum(confirmed), candidate: checksum(candidate))
    isAlive = true
    doom = isStormy && !isSettling && random.chance(10) ? Int.random(in: 0...3, using: &random) : nil
    let start = Machine.start(kept, terms, at: now)
    machine = Machine(inner: start.trial)
    if Machine.guarded(kept) != start.generation { breach("the guard held to another generation than the agent runs") }
    let chosen = start.generation == .onTrial ? candidate : confirmed
    if chosen == nil, confirmed != nil { breach("a whole generation is there, and none is run") }
    if chosen == nil, let candidate, let note, note.candidate.checksum == checksum(candidate), note.starts < 3 {
      breach("what was applied whole is there, and none is run: \(note.phase)")
    }
    if wasStored, chosen != candidate, let candidate, note == nil, confirmed != candidate {
      breach("\(candidate) was on trial and is forgotten")
    }
    perform(start.commands)
    guard isAlive, let chosen else { return }
    if start.generation == .confirmed {
      if nature(chosen) == .kills { breach("\(chosen), which kills, is confirmed") }
      running = chosen
      applied = chosen
    } else {
      put(chosen)
    }
  }

  private mutating func pull() {
    guard sourceAnswers else { return }
    perform(machine.handle(.seen(.source), at: now))
    guard isAlive, applied.map({ newest > $0 }) ?? true,
      let sum = checksum(newest), machine.rejection(of: sum) == nil
    else { return }
    let returnsTo = confirmed.map { UInt64($0) }
    perform(
      machine.handle(
        .verified(.init(checksum: sum, revision: UInt64(newest)), terms, returnsTo: returnsTo), at: now))
    guard isAlive else { return }
    trialTime = .zero
    put(newest)
  }

  private mutating func put(_ number: Int) {
    applications[number, default: 0] += 1
    switch natures[number] {
    case .kills:
      if !isFull { deaths[number, default: 0] += 1 }
      if deaths[number] ?? 0 > 2 { breach("\(number) took the agent down again and again") }
      die("applied \(number)")
    case .refused: perform(machine.handle(.refused, at: now))
    case .good, .locks:
      running = number
      applied = number
      unsaved = number
      perform(machine.handle(.applied, at: now))
    }
  }

  // MARK: - The disk

  /// False: the process died, or the disk is full.
  private mutating func write(_ body: (inout Self) -> Void) -> Bool {
    guard isAlive else { return false }
    if let left = doom {
      if left == 0 {
        die("before a write")
        return false
      }
      doom = left - 1
    }
    guard !isFull else { return false }
    body(&self)
    return true
  }

  private mutating func perform(_ commands: [RuleSetTrial.Command]) {
    for command in commands where isAlive {
      switch command {
      case .note(let new):
        noteFailed = !write {
          $0.note = new
          $0.wasStored = new?.phase == .running
        }
      case .storeCandidate:
        let text = unsaved
        if write({ $0.candidate = text }) { unsaved = nil }
      case .dropCandidate: _ = write { $0.candidate = nil }
      case .keep: keep()
      case .rollBack:
        if let confirmed {
          running = confirmed
          applied = confirmed
          unsaved = nil
          perform(machine.handle(.returned, at: now))
        } else {
          perform(machine.handle(.notReturned("none"), at: now))
        }
      case .tell(let news): told(news)
      }
    }
  }

  private mutating func keep() {
    guard let text = unsaved ?? candidate else { return }
    if nature(text) == .locks, confirmed != nil { breach("\(text) cuts the router off, and is confirmed") }
    guard write({ $0.confirmed = text }) else {
      if isAlive { unsaved = text }
      return
    }
    unsaved = nil
    perform(machine.handle(.kept, at: now))
  }

  private mutating func told(_ news: RuleSetTrial.News) {
    if case .rolledBack(let candidate, _) = news, !noteFailed, note?.isRejection(of: candidate) != true {
      breach("\(candidate) was rolled back, and a restart will not know it")
    }
    guard case .confirmed(let probation) = news, !diskWasFull else { return }
    let number = number(probation.candidate.checksum)
    if confirmed != number && candidate != number { breach("\(number ?? -1) is confirmed, and the disk has it not") }
  }
}

extension RuleSetTrial.Note {
  fileprivate func isRejection(of candidate: RuleSetTrial.Candidate) -> Bool {
    if case .rejected = phase { return self.candidate == candidate }
    return false
  }
}
