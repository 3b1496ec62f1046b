package import Agent
package import Core
internal import Synchronization

/// Metrics on a loopback port or a Unix socket, and in a file.
package final class LinuxMetrics: MetricsPort {
  private let configuration: MetricsConfiguration
  private let server = Mutex<LocalServer?>(nil)

  private let limits: LocalServer.Limits

  /// - Parameter deadline: from accept to the last byte of the page.
  package init(_ configuration: MetricsConfiguration, deadline: Duration = .seconds(5)) {
    self.configuration = configuration
    var limits = LocalServer.Limits()
    // A server or two scrape, and someone looks with curl. A page of a thousand paths takes two megabytes, and each
    // client has its own copy.
    limits.clients = 8
    limits.keptForRoot = 0
    limits.deadline = deadline
    self.limits = limits
  }

  /// Does nothing where the configuration names no listener.
  package func listen(_ page: @escaping @Sendable () async -> [UInt8]) throws(StoreFailure) {
    guard let listener = configuration.listener else { return }
    do throws(SystemCallFailure) {
      let socket: any StreamListener =
        switch listener {
        case .loopback(let address, let port): try LoopbackListener(address, port: port)
        case .unix(let path): try UnixListener(path, group: nil)
        }
      let opened = LocalServer(socket, Self.form, limits: limits, loop: try Reactor(name: "metrics")) { _, _ in
        await page()
      }
      server.withLock { $0 = opened }
    } catch {
      throw StoreFailure(error)
    }
  }

  /// Replaces the textfile collector's file, readable for everyone and without a sync: a page that a power loss takes
  /// is of no use afterwards.
  package func write(_ page: [UInt8]) throws(StoreFailure) {
    guard let path = configuration.textfile else { return }
    do throws(SystemCallFailure) {
      try AtomicFile.write(page, to: path, mode: 0o644, durable: false)
    } catch {
      throw StoreFailure(error)
    }
  }

  /// Closes the socket and cuts off clients that are being served.
  package func close() {
    server.withLock { server in
      server?.stop()
      server = nil
    }
  }

  private static let form = StreamForm(
    maximumRequest: ScrapeRequest.maximum, parse: ScrapeRequest.parse,
    reply: { ScrapeRequest.response("200 OK", Exposition.contentType, $0) },
    busy: { _ in ScrapeRequest.response("503 Service Unavailable", "text/plain", Array("busy\n".utf8)) })
}
