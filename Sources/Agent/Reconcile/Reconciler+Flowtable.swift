internal import Core

/// The flowtable: without it connections are merely slower, so that it is refused keeps nothing else from being made.
extension Reconciler {
  /// What the flowtable does, in a word or a sentence; nil where it is not asked for.
  package var flowtable: String? {
    guard configuration.kernel.usesFlowtable else { return nil }
    return fastTrouble ?? (fastTable == nil ? "idle" : "on")
  }

  /// Clears away, and at the end puts up the flowtable. Returns what was made, and of what may fail the first failure.
  ///
  /// - Parameters:
  ///   - before: the flowtable's table as it was found.
  ///   - wanted: as it should be.
  func clear(
    _ steps: [Step], before: NftTable?, wanted: NftTable?
  ) throws(KernelFailure) -> (made: [Step], failure: KernelFailure?) {
    var made: [Step] = []
    var failure: KernelFailure?
    var refused: KernelFailure?
    for step in steps {
      do throws(KernelFailure) { made.append(try kernel.make(step)) } catch {
        if case .putFastTable(let table) = step {
          refused = error
          // Whatever is there is not what was wanted.
          if before != nil { try kernel.make(.deleteFastTable(table: table.name)) }
        } else if step.isSetting {
          failure = failure ?? error
        } else {
          throw error
        }
      }
    }
    tell(refused)
    fastTable = refused == nil ? wanted : nil
    return (made, failure)
  }

  /// Each offloaded connection goes through everyone's chains again with its next packet, and comes back only if they let it
  /// through. Nothing of ours has changed, so nothing is told.
  func renewFlowtable() {
    guard let wanted = fastTable else { return }
    do throws(KernelFailure) { try kernel.make(.putFastTable(wanted)) } catch {
      // The one that is there must not stay.
      _ = try? kernel.make(.deleteFastTable(table: wanted.name))
      tell(error)
      fastTable = nil
    }
  }

  /// The flowtable was refused, or nil. Told once; each look tries again, and there are as many as there are without it.
  private func tell(_ failure: KernelFailure?) {
    if let failure, fastTrouble == nil {
      events.record(
        AgentEvent(
          .applyFailed, "flowtable", "connections are not offloaded, each packet goes through the chains: \(failure)"))
    }
    fastTrouble = failure?.description
  }
}

extension Reconciler.Reason {
  /// Others come with it.
  var isEvent: Bool {
    switch self {
    case .event, .firewall: true
    case .ruleSet, .timer, .schedule: false
    }
  }
}
