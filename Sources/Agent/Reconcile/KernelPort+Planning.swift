package import Core
package import RuleSets

extension KernelPort {
  /// What a layout wants of this kernel, worked out while it is read, and what is there. Changes nothing.
  ///
  /// - Parameters:
  ///   - negotiated: what ESP costs each tunnel, as far as charon has said.
  ///   - compile: which part of it is wanted.
  package func survey(
    for layout: Layout, negotiated: [Name: ESPEncapsulation] = [:],
    _ compile: (EdgeCompiler) -> DesiredState = { $0.compile() }
  ) throws(KernelFailure) -> (desired: DesiredState, actual: ActualState) {
    var desired = DesiredState()
    let actual = try read { seen in
      desired = compile(EdgeCompiler(layout, seen, negotiated: negotiated))
      return desired.nftTable
    }
    return (desired, actual)
  }

  /// What would change, seen from the kernel as it is now.
  package func plan(for layout: Layout) throws(KernelFailure) -> Plan {
    let (desired, actual) = try survey(for: layout)
    return Planner.plan(desired: desired, actual: actual, remembered: rememberedSettings().values)
  }

  /// What is missing of what holds everything; see `DesiredState.holdingEverything`.
  package func holdPlan(_ configuration: AgentConfiguration) throws(KernelFailure) -> Plan {
    let actual = try read { DesiredState.holdingEverything(configuration, in: $0).nftTable }
    return Planner.holdPlan(desired: .holdingEverything(configuration, in: actual), actual: actual)
  }

  /// What is missing of the guard; see `Planner.guardPlan`.
  package func guardPlan(for layout: Layout) throws(KernelFailure) -> Plan {
    let (desired, actual) = try survey(for: layout) { $0.compileGuard() }
    return Planner.guardPlan(desired: desired, actual: actual)
  }

  /// Makes a step of a plan. A change of our nftables table is refused if another program has changed the table since
  /// it was read; then the whole table is replaced. Returns what was made.
  @discardableResult package func make(_ step: Step) throws(KernelFailure) -> Step {
    do throws(KernelFailure) {
      try apply(step)
      return step
    } catch {
      guard case .changeNftTable(let change) = step else { throw error }
      let whole = Step.replaceNftTable(change.wanted)
      try apply(whole)
      return whole
    }
  }
}
