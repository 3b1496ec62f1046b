internal import Core
package import RuleSets

/// Serves the page of metrics. A request within `lifetime` of the last one gets the same page, so that however often it
/// is scraped, the loops are not asked more often than that. No page was begun earlier than `lifetime` before its
/// request, however long the loops took to answer.
package actor MetricsPages {
  static let lifetime: Duration = .milliseconds(500)

  private let read: @Sendable () async -> MetricsReading
  private let now: @Sendable () -> Instant
  private var last: (page: [UInt8], begun: Instant)?
  private var lastRendering: Duration?
  private var rendering: (task: Task<[UInt8], Never>, begun: Instant)?

  package init(now: @escaping @Sendable () -> Instant, read: @escaping @Sendable () async -> MetricsReading) {
    self.now = now
    self.read = read
  }

  /// The page in the text exposition format. Callers that ask while one is being rendered share it, unless it was begun
  /// too long before they asked.
  package func page() async -> [UInt8] {
    let asked = now()
    while true {
      if let last, asked - last.begun < Self.lifetime { return last.page }
      guard let rendering else { break }
      // A page begun too long ago may be out of date. We still wait for it, so that only one is ever being rendered.
      let page = await rendering.task.value
      if asked - rendering.begun < Self.lifetime { return page }
    }
    let begun = now()
    let task = Task { await render(begun: begun) }
    rendering = (task, begun)
    return await task.value
  }

  private func render(begun: Instant) async -> [UInt8] {
    let reading = await read()
    let written = now()
    let page = MetricsWriter.page(reading, lastRendering: lastRendering)
    lastRendering = now() - written
    last = (page, begun)
    rendering = nil
    return page
  }
}
