package import Core
package import RuleSets

extension KernelPort {
  /// How the kernel currently differs from this layout. Changes nothing.
  ///
  /// - Parameters:
  ///   - negotiated: what ESP costs each tunnel, as far as charon has said.
  ///   - choices: which way each egress's traffic goes; those that are not listed are not compared.
  package func differences(
    from layout: Layout, negotiated: [Name: ESPEncapsulation] = [:], choices: [Name: RuleSelection.Choice] = [:]
  ) throws(KernelFailure) -> [Difference] {
    let (desired, actual) = try survey(for: layout, negotiated: negotiated)
    let compiler = EdgeCompiler(layout, actual, negotiated: negotiated)
    var active: [TableID: TableRoute.Way?] = [:]
    for (egress, choice) in choices {
      guard let table = layout.table(.egress(egress)) else { continue }
      active[table] = .some(compiler.activeRoute(of: egress, for: choice)?.way)
    }
    return Difference.all(
      desired: desired, actual: actual, remembered: rememberedSettings().values,
      ranges: layout.configuration.kernel, active: active)
  }
}
