@testable import RuleSets
import Testing

@testable import Core

/// An identity stands for one peer, whatever charon makes of its text (libstrongswan's identification.c).
@Suite struct IKEIdentityTests {
  @Test(arguments: [
    "hub", "fra.example", "@fra.example", "@@hub@fra.example", "@#0a0b0c", "hub@fra.example", "203.0.113.2",
    "2001:db8::1", "fe80::1", "C=CH, O=Example, CN=hub", "/C=CH/O=Example/CN=hub", "C=CH, CN=hub:1 (a/b-c)",
    "branch-017", "a/b", "100%",
  ])
  func standsForOnePeer(_ text: String) { #expect(IKEIdentity(text)?.text == text) }

  @Test(arguments: [
    "%any", "%any6", "%", "0.0.0.0", "::", "0::0", "*", "*.example", "hub@*", "C=CH, O=*, CN=hub", "0.0.0.0/0",
    "203.0.113.0/24", "203.0.113.1/", "203.0.113.1-203.0.113.9", "2001:db8::/32", "::/0", "fe80::1-fe80::9",
  ])
  func standsForSeveral(_ text: String) {
    #expect(IKEIdentity(text) == nil)
    #expect(IKEIdentity.fault(of: text) == "it stands for more than one peer")
  }

  /// What stands behind a type may be a regular expression or bytes in hexadecimal, which nobody sees through.
  @Test(arguments: [
    "dns:^.+$", "FQDN:#2a", "fqdn:hub.example", "rfc822:^.$", "email:x", "userfqdn:x", "asn1dn:^CN=.+$", "asn1dn:#3000",
    "asn1gn:#30", "ipv4:203.0.113.2", "ipv4net:0.0.0.0/0", "ipv6range:#00", "keyid:x", "xmppaddr:x", "uri:x", "{0}:x",
    "{2}:#2a", "{",
  ])
  func hasATypeInFront(_ text: String) { #expect(IKEIdentity(text) == nil) }

  @Test(arguments: ["", " ", " hub", "hub ", "hüb", "a\nb", "a\u{0}", "a\u{7f}", String(repeating: "a", count: 256)])
  func isNoPlainText(_ text: String) { #expect(IKEIdentity(text) == nil) }
}
