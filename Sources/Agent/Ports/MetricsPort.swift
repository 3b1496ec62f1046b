/// Where metrics go: to scrapers on this machine, and to a file.
///
/// Contract: a scraper gets a whole page or none, however slow others are, and nothing waits for scrapers. The file is
/// the old page or the new one, and everyone may read it. What is not configured is not done, and is no failure.
package protocol MetricsPort: Sendable {
  /// Answers with `page`, asked for each time, until `close`. Throws if that cannot be, as where somebody listens
  /// there, this one too; then it may be tried again.
  func listen(_ page: @escaping @Sendable () async -> [UInt8]) throws(StoreFailure)
  func write(_ page: [UInt8]) throws(StoreFailure)
  /// The place is free a moment later.
  func close()
}
