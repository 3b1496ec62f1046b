internal import Core

// A default route that is being replaced is no uplink lost.
extension Reconciler {
  private static let slice: Duration = .milliseconds(5)
  /// The most slices that we wait: 50 ms in all.
  private static let slices = 10

  /// Reads the kernel. A DHCP client or NetworkManager that replaces a default route takes the old one away first: where
  /// the last look has seen an uplink's and this one does not, and nothing else of the uplink has gone, the kernel is
  /// looked at again before anything follows from it, as soon as something stirs and at the end of a short while.
  ///
  /// Nothing leaks meanwhile: our tables lead as they did, by a device and a gateway that are there. A device that goes
  /// down is a verdict without a look, and an address that goes ends the wait.
  func survey(for layout: Layout) async throws(KernelFailure) -> (desired: DesiredState, actual: ActualState) {
    var survey = try kernel.survey(for: layout, negotiated: esp)
    var known = queued
    for slice in 1...Self.slices {
      guard missesRouteAlone(survey.actual) else { break }
      await time.sleep(Self.slice)
      guard slice == Self.slices || queued != known else { continue }
      known = queued
      survey = try kernel.survey(for: layout, negotiated: esp)
    }
    uplinks = UplinkState.all(configuration, in: survey.actual)
    return survey
  }

  private func missesRouteAlone(_ actual: ActualState) -> Bool {
    let now = UplinkState.all(configuration, in: actual)
    return zip(uplinks, now).contains { $1.missesRouteAlone(since: $0, in: actual) }
  }
}
