package import RuleSets

/// From when to when an X.509 certificate is valid (RFC 5280 section 4.1.2.5).
package struct CertificateValidity: Equatable, Sendable {
  package var notBefore: WallTime
  package var notAfter: WallTime

  package init(notBefore: WallTime, notAfter: WallTime) {
    self.notBefore = notBefore
    self.notAfter = notAfter
  }
}
