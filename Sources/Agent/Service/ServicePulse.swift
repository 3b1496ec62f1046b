package import Core

/// Tells the service manager how the agent is doing: ready, alive as long as watch and reconciler are, stopping; and
/// one line for people. It waits for nothing, so that it can still report which part is silent when another one stalls.
package actor ServicePulse {
  /// How to ask the rest of the agent. Each returns at once, and calls back when the answer is there.
  package struct Questions: Sendable {
    /// False: the part is late with its work.
    package var life: @Sendable (Vitals.Part, _ answer: @escaping @Sendable (Bool) -> Void) -> Void
    package var line: @Sendable (_ answer: @escaping @Sendable (String) -> Void) -> Void

    package init(
      life: @escaping @Sendable (Vitals.Part, _ answer: @escaping @Sendable (Bool) -> Void) -> Void,
      line: @escaping @Sendable (_ answer: @escaping @Sendable (String) -> Void) -> Void
    ) {
      self.life = life
      self.line = line
    }
  }

  private let manager: any ServiceManagerPort
  private let questions: Questions
  private let surroundings: any Surroundings
  private(set) var vitals: Vitals
  private var isStarted = false
  private var line: String?
  private(set) var awaitsLine = false
  /// What the service manager has taken.
  private var toldReady = false
  private var toldLine: String?

  package init(manager: any ServiceManagerPort, questions: Questions, surroundings: any Surroundings) {
    self.manager = manager
    self.questions = questions
    self.surroundings = surroundings
    vitals = Vitals(watchdog: manager.watchdog, at: surroundings.now)
  }

  /// Runs until cancelled.
  package func run() async {
    while !Task.isCancelled {
      beat()
      await surroundings.sleep(vitals.period)
    }
    _ = manager.tell([.stopping])
  }

  /// The first rule set is running, or it is known that there is none.
  package func started() {
    isStarted = true
    ask()
    tell()
  }

  /// One turn: ask all parts, and report what is known by now.
  package func beat() {
    ask()
    tell()
  }

  private func ask() {
    for part in vitals.due() {
      questions.life(part) { [weak self] well in Task { await self?.answered(part, well: well) } }
    }
    guard !awaitsLine else { return }
    awaitsLine = true
    questions.line { [weak self] line in Task { await self?.summedUp(line) } }
  }

  private func answered(_ part: Vitals.Part, well: Bool) { vitals.answered(part, well: well, at: surroundings.now) }

  private func summedUp(_ new: String) {
    awaitsLine = false
    line = new
    tellLine()
  }

  private func tell() {
    var words: [ServiceWord] = []
    if isStarted && !toldReady { words.append(.ready) }
    if manager.watchdog != nil && vitals.silent(at: surroundings.now).isEmpty { words.append(.alive) }
    if !words.isEmpty && manager.tell(words) && words.contains(.ready) { toldReady = true }
    tellLine()
  }

  /// Only what is new.
  private func tellLine() {
    let silent = vitals.silent(at: surroundings.now).map { "the \($0.part.rawValue) has not answered for a while" }
    guard let now = silent.isEmpty ? line : silent.joined(separator: "; "), now != toldLine else { return }
    if manager.tell([.status(now)]) { toldLine = now }
  }
}
