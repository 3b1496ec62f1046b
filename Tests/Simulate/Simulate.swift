internal import Core
internal import Glibc
internal import RuleSets
internal import Simulation

/// The simulation of path selection: what `Tests/run simulation` runs.
///
///     backhaul-simulate [SEED [FAULTS]]           the machines, the agent's watch, and the mutants
///     backhaul-simulate replay SUBJECT SEED       one simulation again: its last events
///     backhaul-simulate replay SUBJECT SEED all   every event of it, and every probe
///     backhaul-simulate line INTERVAL TIMEOUT FALL RISE   what a probe decides on a line that was recorded (stdin: one
///                                                 probe a line, microseconds until its answer or `-`; times in ms)
@main struct Simulate {
  /// Of the machines and the watch together.
  private static let faults = 1_000_000
  /// If a mutant survives this much unnoticed, either it is not a mutant or the invariants are too weak.
  private static let mutantFaults = 400_000

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.first == "replay", (3...4).contains(arguments.count), let subject = Subject.named(arguments[1]),
      let seed = UInt64(arguments[2])
    {
      return finish(replay(subject, seed, lines: arguments.count == 4 ? .max : 100))
    }
    if arguments.first == "line" { return finish(follow(arguments.dropFirst().compactMap { Int($0) })) }
    let numbers = arguments.compactMap { UInt64($0) }
    guard numbers.count == arguments.count, numbers.count <= 2 else {
      print("usage: backhaul-simulate [SEED [FAULTS]] | replay SUBJECT SEED [all] | line …")
      exit(64)
    }
    let seed = numbers.first ?? 1
    let faults = numbers.dropFirst().first.map { Int($0) } ?? faults
    print("seed \(seed)")
    let subjects = [Subject.machines, Subject.watch].map { run($0, seed, faults: faults / 2) }
    let mutants = Mutant.all.map { hunt($0, seed) }
    finish((subjects + mutants).allSatisfy { $0 })
  }

  /// Prints each decision, with the number of probes sent before it.
  private static func follow(_ settings: [Int]) -> Bool {
    var text = ""
    while let line = readLine(strippingNewline: false) { text += line }
    guard settings.count == 4, let name = Name("recorded"), let line = RecordedLine(text: text) else {
      print("expected INTERVAL TIMEOUT FALL RISE, and a number or - in each line")
      return false
    }
    let probe = Probe(
      name: name, path: name, kind: .icmp(target: IPv4Address(value: 0)), interval: .milliseconds(settings[0]),
      timeout: .milliseconds(settings[1]), fall: settings[2], rise: settings[3])
    for decision in line.decisions(of: probe) { print("\(decision.sent) \(decision.state.rawValue)") }
    return true
  }

  private static func finish(_ isGood: Bool) { exit(isGood ? 0 : 1) }

  private static func run(_ subject: Subject, _ seed: UInt64, faults: Int) -> Bool {
    var campaign = Campaign(seed: seed, subject: subject)
    let time = ContinuousClock().measure { campaign.run(faults: faults) }
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    print("\(subject.name): \(campaign.tally.faultCount) faults in \((seconds * 10).rounded() / 10) s")
    for line in campaign.tally.lines { print("  \(line)") }
    guard let failure = campaign.failure else {
      let untried = campaign.tally.untried
      if !untried.isEmpty && faults >= 100_000 { print("FAILED: never tried: \(untried.joined(separator: ", "))") }
      return untried.isEmpty || faults < 100_000
    }
    print("FAILED: \(failure.violation.invariant.rawValue): \(failure.violation.text)")
    _ = replay(subject, failure.seed, lines: 60)
    print(
      "once more: backhaul-simulate replay \(subject.name) \(failure.seed); all: BACKHAUL_SEED=\(seed) Tests/run simulation"
    )
    return false
  }

  private static func replay(_ subject: Subject, _ seed: UInt64, lines: Int) -> Bool {
    let (violation, trace, tally) = Campaign.replay(seed, subject, lines: lines, probes: lines == .max)
    for line in trace { print("  | \(line)") }
    print(
      "\(subject.name), seed \(seed): \(violation.map { "\($0.invariant.rawValue): \($0.text)" } ?? "all invariants hold")"
    )
    for line in tally.lines { print("  \(line)") }
    return violation == nil
  }

  private static func hunt(_ mutant: Mutant, _ seed: UInt64) -> Bool {
    var campaign = Campaign(seed: seed, subject: mutant.subject)
    campaign.run(faults: mutantFaults)
    guard let failure = campaign.failure else {
      print("FAILED: mutant \(mutant.name) does \(mutantFaults) faults unnoticed")
      return false
    }
    print(
      "mutant \(mutant.name): caught by \(failure.violation.invariant.rawValue) after \(campaign.tally.faultCount) faults: \(failure.violation.text)"
    )
    // An invariant that also condemns the correct machine has not caught the mutant.
    guard let doubt = Campaign.replay(failure.seed, mutant.honest).0 else { return true }
    print(
      "FAILED: so does the machine as it is: \(doubt.text); see backhaul-simulate replay \(mutant.honest.name) \(failure.seed)"
    )
    return false
  }
}
