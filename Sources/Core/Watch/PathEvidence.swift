package import RuleSets

/// All that a path is judged by.
package struct PathEvidence: Sendable {
  /// Why the device or the uplink below it cannot carry (gone, down, no carrier, no address).
  package var obstacle: String?
  package var probes: [ProbeMachine]
  /// How many probes must be answered; nil: all.
  package var quorum: Int?
  /// How bad the path may be; nil: as bad as its probes bear.
  package var limits: PathLimits?
  /// What an operator wants it to be.
  package var force: PathHealth.Force?
  /// What else is known where the probes have no answer: whether the tunnel has keys. No evidence of its own.
  package var remark: String?
  /// Why nothing is known yet, or where there are no probes.
  package var doubt: PathHealth.Doubt?

  package init(
    obstacle: String?, probes: [ProbeMachine], quorum: Int? = nil, limits: PathLimits? = nil,
    force: PathHealth.Force? = nil, remark: String? = nil, doubt: PathHealth.Doubt? = nil
  ) {
    self.obstacle = obstacle
    self.probes = probes
    self.quorum = quorum
    self.limits = limits
    self.force = force
    self.remark = remark
    self.doubt = doubt
  }
}
