/// Where metrics go: to whoever asks on this machine, and to a file.
///
/// Contract: whoever asks gets a whole page or none, however slow others are, and nobody waits for them. The file is the
/// old page or the new one, and everyone may read it.
package protocol MetricsPort: Sendable {
  /// Answers with `page` until `close`. Throws where that cannot be; then it may be tried again.
  func listen(_ page: @escaping @Sendable () async -> [UInt8]) throws(StoreFailure)
  func write(_ page: [UInt8]) throws(StoreFailure)
  func close()
}
