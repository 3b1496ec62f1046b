package import Core

extension KernelPort {
  /// What is missing of the guard, seen from the kernel as it is now; see `Planner.guardPlan`.
  package func guardPlan(for layout: Layout) throws(KernelFailure) -> Plan {
    let first = try read(expecting: nil)
    let desired = DesiredStateCompiler(layout, first).compileGuard()
    // Only a table that is there has rules to recognise.
    let actual = first.steering == nil ? first : try read(expecting: desired.steering)
    return Planner.guardPlan(desired: desired, actual: actual)
  }
}
