package import Core

/// Gives out the page of metrics. Whoever asks again within a moment gets the same one, so that however often it is
/// scraped, the loops are asked no oftener than that.
package actor MetricsPages {
  static let lifetime: Duration = .milliseconds(500)

  private let read: @Sendable () async -> MetricsReading
  private let now: @Sendable () -> Instant
  private var last: (page: [UInt8], at: Instant)?
  private var lastRendering: Duration?
  private var rendering: Task<[UInt8], Never>?

  package init(now: @escaping @Sendable () -> Instant, read: @escaping @Sendable () async -> MetricsReading) {
    self.now = now
    self.read = read
  }

  package func page() async -> [UInt8] {
    if let last, now() - last.at < Self.lifetime { return last.page }
    if let rendering { return await rendering.value }
    let task = Task { await render() }
    rendering = task
    defer { rendering = nil }
    return await task.value
  }

  private func render() async -> [UInt8] {
    let reading = await read()
    let begun = now()
    let page = MetricsWriter.page(reading, lastRendering: lastRendering)
    let ended = now()
    lastRendering = ended - begun
    last = (page, ended)
    return page
  }
}
