internal import RuleSets

/// How fast a target is probed to confirm a suspicion: no faster than it has been seen to answer. Many hubs and routers
/// police pings, and to take the silence that our own haste has made for a dead path would be our fault.
///
/// While the path is up and nothing is suspected, the row of probes that would confirm a suspicion is rehearsed: once, after
/// the first answer. What it loses says nothing of the path.
///
///     unproven ──row answered──▶ proven (as wanted)
///        │
///        └─three rows not answered─▶ rehearsed at twice the spacing … ─row answered─▶ proven (slower); faster is tried again
///                                                                                      after ten minutes
///
/// Until a row was answered, a suspicion is confirmed once a second, or at the probe's own interval where that is shorter.
/// In nanoseconds, as each probe of a thousand paths comes here.
struct ConfirmationPace: Equatable, Sendable {
  /// A row that is being sent.
  private struct Rehearsal: Equatable, Sendable {
    let number: UInt32
    /// To be sent yet.
    var left: Int
    var due: Instant
    /// Sent, and neither answered nor lost.
    var pending = 0
  }

  /// Chance may lose one of a row on a line that loses one in twenty.
  private static let mostTries = 3
  /// Intervals between two tries, in which a token bucket is full again.
  private static let pause = 10
  /// Before a pace is tried again that was too fast.
  private static let longPause: Duration = .seconds(600)
  /// Any target that answers at all bears to be asked this often.
  private static let unhurried: Int64 = 1_000_000_000

  /// Between two probes that confirm.
  private let wanted: Int64
  /// If nothing is known about the target.
  private let unproven: Int64
  private let interval: Int64
  /// After the first probe of a row.
  private let row: Int
  private var proven: Int64
  /// What is rehearsed next, while it is less than `proven`.
  private var candidate: Int64
  private var tries = 0
  private var nextTry: Instant
  private var rehearsal: Rehearsal?
  private var lastRehearsal: UInt32 = 0

  init(_ probe: Probe, at now: Instant) {
    interval = probe.interval.nanoseconds
    let confirmations = Int64(max(1, probe.fall - 1))
    let patience = probe.patienceInForce.nanoseconds
    // Rounded up, so that the last of the row is sent when the patience is over.
    let spread = (patience + confirmations - 1) / confirmations
    wanted = min(max(spread, min(interval / 10, 25_000_000)), interval)
    unproven = max(wanted, min(interval, Self.unhurried))
    // A target that bears the interval answers one of any row that is as long as that.
    let least = Int(min(confirmations, interval / max(1, wanted)))
    row = probe.fall == 1 && patience == 0 ? 0 : least
    proven = row == 0 ? wanted : unproven
    candidate = wanted
    nextTry = now
  }

  /// The pause between two confirming probes, as fast as the target is known to answer.
  var spacing: Int64 { proven }
  /// When the next probe of a rehearsal is to be sent.
  var due: Instant? { rehearsal.flatMap { $0.left > 0 ? $0.due : nil } }

  /// A probe in peace was answered: the row may be rehearsed after it.
  mutating func answered(sent: Instant, at now: Instant) {
    guard proven > wanted, rehearsal == nil, nextTry <= now else { return }
    lastRehearsal &+= 1
    let due = max(now, sent.advanced(byNanoseconds: candidate))
    rehearsal = Rehearsal(number: lastRehearsal, left: row, due: due)
  }

  /// A probe of the rehearsal is in flight. Returns which rehearsal that is.
  mutating func sent(at now: Instant) -> UInt32 {
    rehearsal?.left -= 1
    rehearsal?.pending += 1
    rehearsal?.due = now.advanced(byNanoseconds: candidate)
    return lastRehearsal
  }

  /// One of a rehearsal's probes was answered, or not. Whatever comes of one that is over is ignored.
  mutating func rehearsed(_ number: UInt32, answered: Bool, at now: Instant) {
    guard var current = rehearsal, current.number == number else { return }
    guard answered else { return failed(at: now) }
    current.pending -= 1
    rehearsal = current
    if current.left == 0 && current.pending == 0 { succeeded(at: now) }
  }

  private mutating func succeeded(at now: Instant) {
    rehearsal = nil
    tries = 0
    proven = candidate
    seekFaster(at: now)
  }

  private mutating func failed(at now: Instant) {
    rehearsal = nil
    tries += 1
    nextTry = now.advanced(byNanoseconds: interval * Int64(Self.pause))
    guard tries >= Self.mostTries else { return }
    tries = 0
    candidate *= 2
    if candidate >= proven { seekFaster(at: now) }
  }

  private mutating func seekFaster(at now: Instant) {
    candidate = max(wanted, proven / 2)
    nextTry = max(now + Self.longPause, now.advanced(byNanoseconds: interval * 100))
  }

  /// Something is suspected, or nothing can be sent: the rehearsal is over, and shows nothing.
  mutating func brokenOff() { rehearsal = nil }

  /// The path is down: the target's pace is rehearsed again, starting with the last one that it could take.
  mutating func wentDown(at now: Instant) {
    guard row > 0 else { return }
    if proven < unproven { candidate = proven }
    proven = unproven
    tries = 0
    rehearsal = nil
    nextTry = now
  }
}
