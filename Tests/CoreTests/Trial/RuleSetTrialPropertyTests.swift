import Core
import Testing

@Suite("A rule set on trial, whatever happens") struct RuleSetTrialPropertyTests {
  /// Another seed explores other histories.
  static let seed: UInt64 = 20_261_130

  private static func breaches<Machine: TrialUnderTest>(
    of machine: Machine.Type, worlds: Int
  ) -> String? {
    for number in 0..<worlds {
      for isStormy in [false, true] {
        var world = TrialWorld<Machine>(seed: seed &+ UInt64(number), isStormy: isStormy)
        world.run(steps: 150)
        if let first = world.breaches.first { return "seed \(seed &+ UInt64(number)), stormy \(isStormy): \(first)" }
      }
    }
    return nil
  }

  @Test("leaves a generation that works, and the guard knows it")
  func honest() {
    #expect(Self.breaches(of: HonestTrial.self, worlds: 1_000) == nil)
  }

  @Test("is what each mutant gets wrong")
  func mutants() {
    let found = [
      "ForgetsToNote": Self.breaches(of: ForgetsToNote.self, worlds: 300),
      "ConfirmsWhatIsApplied": Self.breaches(of: ConfirmsWhatIsApplied.self, worlds: 300),
      "NeverRollsBack": Self.breaches(of: NeverRollsBack.self, worlds: 300),
      "ForgetsTheTimeLeft": Self.breaches(of: ForgetsTheTimeLeft.self, worlds: 300),
      "ForgetsRejections": Self.breaches(of: ForgetsRejections.self, worlds: 300),
      "RejectsForGood": Self.breaches(of: RejectsForGood.self, worlds: 300),
      "AcquitsAtOnce": Self.breaches(of: AcquitsAtOnce.self, worlds: 300),
      "DropsBeforeItKeeps": Self.breaches(of: DropsBeforeItKeeps.self, worlds: 300),
      "NotesTooLate": Self.breaches(of: NotesTooLate.self, worlds: 300),
      "GuardsTheConfirmed": Self.breaches(of: GuardsTheConfirmed.self, worlds: 300),
      "ResumesWhatDied": Self.breaches(of: ResumesWhatDied.self, worlds: 300),
    ]
    for (name, breach) in found { #expect(breach != nil, "nothing catches \(name)") }
  }
}
