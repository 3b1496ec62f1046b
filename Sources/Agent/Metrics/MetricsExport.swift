package import Core

/// Brings metrics to where the configuration says. A failure is reported once and tried again; no traffic waits for it.
package struct MetricsExport: Sendable {
  /// How soon a listener is tried again that could not be had: another program may have its port.
  static let pauseAfterFailure: Duration = .seconds(10)

  private let configuration: MetricsConfiguration
  private let port: any MetricsPort
  private let pages: MetricsPages
  private let events: any EventSink
  private let surroundings: any Surroundings

  package init(
    _ configuration: MetricsConfiguration, port: any MetricsPort, pages: MetricsPages, events: any EventSink,
    surroundings: any Surroundings
  ) {
    self.configuration = configuration
    self.port = port
    self.pages = pages
    self.events = events
    self.surroundings = surroundings
  }

  /// Runs until cancelled.
  package func run() async {
    await withTaskGroup { group in
      if configuration.listener != nil { group.addTask { await listen() } }
      if configuration.textfile != nil { group.addTask { await write() } }
    }
    port.close()
  }

  private func listen() async {
    var trouble: String?
    while !Task.isCancelled {
      let pages = pages
      do throws(StoreFailure) {
        try port.listen { await pages.page() }
        if trouble != nil { tellOfRecovery("metrics can be scraped again") }
        while !Task.isCancelled { await surroundings.sleep(.seconds(3_600)) }
      } catch {
        tell(error, "metrics cannot be scraped", knowing: &trouble)
      }
      await surroundings.sleep(Self.pauseAfterFailure)
    }
  }

  private func write() async {
    var trouble: String?
    while !Task.isCancelled {
      let page = await pages.page()
      do throws(StoreFailure) {
        try port.write(page)
        if trouble != nil { tellOfRecovery("metrics are written to their file again") }
        trouble = nil
      } catch {
        tell(error, "metrics are not written to their file", knowing: &trouble)
      }
      await surroundings.sleep(configuration.textfileInterval)
    }
  }

  private func tell(_ failure: StoreFailure, _ effect: String, knowing trouble: inout String?) {
    let cause = "\(failure)"
    guard cause != trouble else { return }
    trouble = cause
    events.record(
      AgentEvent(.metricsFailed, "metrics", "\(effect), will try again: \(cause)", details: ["cause": cause]))
  }

  private func tellOfRecovery(_ text: String) { events.record(AgentEvent(.metricsRecovered, "metrics", text)) }
}
