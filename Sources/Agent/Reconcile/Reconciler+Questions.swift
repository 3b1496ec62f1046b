package import Core
package import RuleSets

/// What is read of the kernel for others. Nothing is changed because of it.
extension Reconciler {
  /// What the kernel has now, for a report.
  package func kernelState() throws(KernelFailure) -> ActualState { try kernel.read(expecting: nil) }

  /// Works the slots out from the devices, routes and marks in the kernel. The book is empty if the kernel cannot be
  /// read.
  package func slotsInUse(by ruleSet: RuleSet) async -> SlotBook {
    let actual = try? kernel.read { [configuration] seen in SlotBook.marking(seen, ruleSet, configuration) }
    guard let actual else { return SlotBook() }
    return SlotBook.readBack(from: actual, ruleSet, configuration)
  }

  /// Compares the kernel with what a hold of everything would put there: whatever is beyond that is left over.
  package func leftovers() async -> Leftovers? {
    let actual = try? kernel.read { [configuration] in DesiredState.holdingEverything(configuration, in: $0).nftTable }
    return actual.flatMap { Leftovers(in: $0, besides: .holdingEverything(configuration, in: $0)) }
  }

  /// How the kernel differs from the running rule set, with its revision; nil if none is running.
  package func differences(
    choices: [Name: RuleSelection.Choice]
  ) throws(KernelFailure) -> (revision: UInt64, differences: [Difference])? {
    guard let layout else { return nil }
    return (layout.ruleSet.revision, try kernel.differences(from: layout, negotiated: esp, choices: choices))
  }
}
