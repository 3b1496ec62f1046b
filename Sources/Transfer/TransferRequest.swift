/// One GET over HTTP or HTTPS, bounded in time and size. Redirects are not followed and no proxy is used: the answer
/// comes from the server that was asked, or not at all.
package struct TransferRequest: Equatable, Sendable {
  package var url: String
  /// Sent as they are, each `Name: value`. A header that holds a control character makes the transfer fail.
  package var headers: [String] = []
  /// The limit for the whole transfer: name lookup, connection, handshake and answer.
  package var timeout: Duration
  /// The largest body that is taken.
  package var maximumBytes: Int
  /// What happens to a longer body.
  package var excess: Excess = .fails
  /// The IPv4 address to connect to, as a dotted quad, whatever the URL's host says; no name is resolved then.
  package var connectAddress: String?
  package var binding: TransferBinding?
  /// A PEM file of trusted authorities; nil: the system's.
  package var authorityFile: String?
  /// PEM files of the client's certificate and key.
  package var clientCertificateFile: String?
  package var clientKeyFile: String?

  /// What to do when a body is longer than `maximumBytes`.
  package enum Excess: Equatable, Sendable {
    case fails
    /// The rest is not read; what arrived so far is the answer.
    case isCut
  }

  package init(url: String, timeout: Duration, maximumBytes: Int) {
    self.url = url
    self.timeout = timeout
    self.maximumBytes = maximumBytes
  }
}

/// What a connection is bound to, so that neither routes nor rules can lead it elsewhere.
package struct TransferBinding: Equatable, Sendable {
  package var device: String
  package var mark: UInt32
  /// IPv4 in host byte order; 0: none.
  package var source: UInt32

  package init(device: String, mark: UInt32, source: UInt32) {
    self.device = device
    self.mark = mark
    self.source = source
  }
}

/// What the server answered, whatever its status.
package struct TransferResponse: Equatable, Sendable {
  package var status: Int
  package var body: [UInt8]
  package var etag: String?
  package var contentType: String?
  /// The time from the start to the last byte of the answer.
  package var duration: Duration

  package init(status: Int, body: [UInt8], etag: String?, contentType: String?, duration: Duration) {
    self.status = status
    self.body = body
    self.etag = etag
    self.contentType = contentType
    self.duration = duration
  }
}
