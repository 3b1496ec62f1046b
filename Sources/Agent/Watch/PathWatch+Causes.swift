internal import Core
internal import RuleSets

// Where the trouble of a dead path lies: who is asked, and what follows from the answers.
extension PathWatch {
  func postScouts(at now: Instant) {
    defer { meter.follow(plan, scouts: { causes.scouts(by: $0) }, at: now) }
    causes.follow(plan, at: now) { [weak self] key in
      self?.assumeIsolated { watch in
        let now = watch.loop.now
        watch.scouted(watch.causes.timePassed(to: now, for: key), at: now)
      }
    } deliver: { [weak self] key, number, outcome in
      self?.assumeIsolated { watch in
        let now = watch.loop.now
        watch.scouted(watch.causes.came(outcome, of: number, for: key, at: now), at: now)
      }
    }
  }

  private func scouted(_ mayMove: Bool, at now: Instant) {
    for hub in causes.takeReturned() {
      for path in plan.paths where path.underlay == hub.uplink && path.hub == hub.address { prompt(path, at: now) }
    }
    if mayMove { decideAll(at: now) } else { findCauses() }
  }

  /// Many paths may go down at once: one look for all of them, after the flips.
  func findCauses() {
    guard causeTimer == nil, !causes.diagnoses.isEmpty || health.values.contains(where: { $0.state == .down }) else {
      return
    }
    causeTimer = loop.at(loop.now + Self.burst) { [weak self] _ in
      self?.assumeIsolated {
        $0.causeTimer = nil
        $0.findCausesNow()
      }
    }
  }

  private func findCausesNow() {
    let view = CauseFinder.View(
      plan: plan, health: health, trouble: { self.trouble(of: $0) }, keys: { self.remark(on: $0) },
      lastAnswer: { path in path.probes.compactMap { self.probes[$0.name]?.machine.lastAnswer }.max() },
      isReturning: { path in
        path.probes.contains { probe in
          self.probes[probe.name].map { $0.machine.state == .down && $0.machine.answered > 0 } ?? false
        }
      })
    for event in causes.review(view) { events.record(event) }
  }
}
