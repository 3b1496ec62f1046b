import Testing

@testable import Core

/// Lines as charon 5.9.8 and 6.0 write them (the formats in its src/libcharon/sa, src/libstrongswan/credentials and
/// src/libcharon/plugins/kernel_netlink), and what an operator is told about them.
@Suite struct IKETroubleTests {
  private static let authentication =
    "the hub refused our authentication (AUTHENTICATION_FAILED): a different pre-shared key, a certificate that it "
    + "does "
    + "not trust, or an id that it does not know"
  private static let untrusted = "the hub's certificate comes from no authority that we trust"

  @Test(
    "troubles",
    arguments: [
      // What the hub answers (ike_auth.c, ike_init.c, child_create.c, task_manager_v2.c).
      ("received AUTHENTICATION_FAILED notify error", authentication),
      ("received NO_PROPOSAL_CHOSEN notify error", "the hub accepts none of our proposals (NO_PROPOSAL_CHOSEN)"),
      (
        "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
        "the hub accepts none of our proposals (NO_PROPOSAL_CHOSEN)"
      ),
      (
        "received TS_UNACCEPTABLE notify, no CHILD_SA built",
        "the hub does not want this traffic (TS_UNACCEPTABLE): it expects other traffic selectors"
      ),
      (
        "received INVALID_SYNTAX notify error, destroying IKE_SA",
        "the hub could not read our message (INVALID_SYNTAX): often the pre-shared keys differ"
      ),
      ("received NO_ADDITIONAL_SAS notify, no CHILD_SA built", "the hub wants no more SAs (NO_ADDITIONAL_SAS)"),
      ("received FAILED_CP_REQUIRED notify error", "the hub refused (FAILED_CP_REQUIRED)"),
      ("received (8192) notify error", "the hub refused (8192)"),
      // The hub is silent. The counts differ from line to line, the words do not.
      ("retransmit 1 of request with message ID 0", "the hub does not answer"),
      ("retransmit 4 of request with message ID 1", "the hub does not answer"),
      ("giving up after 5 retransmits", "the hub does not answer"),
      ("peer not responding, trying again (2/0)", "the hub does not answer"),
      ("establishing IKE_SA failed, peer not responding", "the hub does not answer"),
      // We do not accept the hub's proof (psk_authenticator.c, pubkey_authenticator.c, auth_cfg.c).
      (
        "tried 1 shared key for 'branch-017' - 'hub.example', but MAC mismatched",
        #"the hub's pre-shared key differs from ours: "tried 1 shared key for 'branch-017' - 'hub.example', but MAC mis…""#
      ),
      (
        "no shared key found for 'branch-017' - 'hub.example'",
        "no pre-shared key for these ids: \"no shared key found for 'branch-017' - 'hub.example'\""
      ),
      (
        "no private key found for 'CN=branch-017'",
        "no private key for our certificate: \"no private key found for 'CN=branch-017'\""
      ),
      (
        "authentication of 'branch-017' (myself) failed",
        "we could not prove who we are: \"authentication of 'branch-017' (myself) failed\""
      ),
      (
        "no trusted ECDSA public key found for 'hub.example'",
        "\(untrusted): \"no trusted ECDSA public key found for 'hub.example'\""
      ),
      (
        #"no issuer certificate found for "CN=hub.example""#,
        #"\#(untrusted): "no issuer certificate found for \"CN=hub.example\"""#
      ),
      (
        "subject certificate invalid (valid from Jan 01 00:00:00 2020 to Jan 02 00:00:00 2020)",
        "a certificate is not valid now: \"subject certificate invalid (valid from Jan 01 00:00:00 2020 to …\""
      ),
      (
        "certificate was revoked on Nov 21 10:00:00 UTC 2026, reason: key compromise",
        "a certificate was revoked: \"certificate was revoked on Nov 21 10:00:00 UTC 2026, reason: key…\""
      ),
      // 5.9.8, then 6.0.
      (
        "constraint check failed: identity 'hub.example' required ",
        "the hub is not the one that the profile names: \"constraint check failed: identity 'hub.example' required \""
      ),
      (
        "constraint check failed: identity 'hub.example' (ID_FQDN) required, not matched by 'other.example' (ID_FQDN)",
        "the hub is not the one that the profile names: \"constraint check failed: identity 'hub.example' (ID_FQDN) requir…\""
      ),
      (
        "constraint requires public key authentication, but pre-shared key was used",
        "the hub authenticates in another way than the profile says: "
          + "\"constraint requires public key authentication, but pre-shared ke…\""
      ),
      (
        "signature validation failed, looking for another key",
        "the hub could not prove that its certificate is its own: "
          + "\"signature validation failed, looking for another key\""
      ),
      (
        "no acceptable proposal found",
        "the hub proposes nothing that we accept: \"no acceptable proposal found\""
      ),
      (
        "no acceptable traffic selectors found",
        "the hub wants other traffic selectors than we do: \"no acceptable traffic selectors found\""
      ),
      (
        "TUNNEL mode requested by responder is unacceptable",
        "the hub wants another mode than we do: \"TUNNEL mode requested by responder is unacceptable\""
      ),
      // The kernel (kernel_netlink_ipsec.c, child_create.c).
      (
        "algorithm CHACHA20_POLY1305 not supported by kernel!",
        "the kernel lacks an algorithm: \"algorithm CHACHA20_POLY1305 not supported by kernel!\""
      ),
      (
        "unable to install inbound and outbound IPsec SA (SAD) in kernel",
        "charon could not install an SA or policy: "
          + "\"unable to install inbound and outbound IPsec SA (SAD) in kernel\""
      ),
    ])
  func trouble(_ line: String, _ told: String) { #expect(IKETrouble.recognised(in: line)?.text == told) }

  @Test(
    "no trouble",
    arguments: [
      "",
      "initiating IKE_SA backhaul-fra-a[1] to 203.0.113.2",
      "generating IKE_AUTH request 1 [ IDi N(INIT_CONTACT) IDr AUTH SA TSi TSr ]",
      "parsed IKE_AUTH response 1 [ N(AUTH_FAILED) ]",
      "parsed IKE_SA_INIT response 0 [ N(NO_PROP) ]",
      "authentication of 'branch-017' (myself) with pre-shared key",
      "authentication of 'hub.example' with ECDSA_WITH_SHA256_DER successful",
      "IKE_SA backhaul-fra-a[1] established between 192.0.2.2[branch-017]...203.0.113.2[hub.example]",
      "CHILD_SA fra-a{2} established with SPIs c1b2a3d4_i c4d3e2f1_o and TS 0.0.0.0/0 === 0.0.0.0/0",
      "received end entity cert \"CN=hub.example\"",
      "received cert request for \"CN=Example CA\"",
      "  using trusted ca certificate \"CN=Example CA\"",
      "certificate status is not available",
      "scheduling rekeying in 13820s",
      "sending keep alive to 203.0.113.2[4500]",
      "sending DPD request",
      "received DELETE for IKE_SA backhaul-fra-a[1]",
      "deleting IKE_SA backhaul-fra-a[1] between 192.0.2.2[branch-017]...203.0.113.2[hub.example]",
      "local host is behind NAT, sending keep alives",
      "peer didn't accept key exchange method CURVE_25519, it requested ECP_384",
      "received TEMPORARY_FAILURE notify",
      "received ESP_TFC_PADDING_NOT_SUPPORTED, not using ESPv3 TFC padding",
      // The hub sends again what was lost on its way to us.
      "received retransmit of request with ID 1, retransmitting response",
      "giving up after 5 retries",
      // Whatever name a hub may have.
      "received $(reboot) notify error",
      "received (8192; reboot) notify error",
      "received \(String(repeating: "A", count: 41)) notify error",
    ])
  func noTrouble(_ line: String) { #expect(IKETrouble.recognised(in: line) == nil) }

  @Test(
    "how certain they are",
    arguments: [
      ("retransmit 1 of request with message ID 0", IKETrouble.Certainty.hint),
      ("giving up after 5 retransmits", .silence), ("peer not responding, trying again (2/0)", .silence),
      ("establishing IKE_SA failed, peer not responding", .silence),
      ("received AUTHENTICATION_FAILED notify error", .answer),
      ("received TS_UNACCEPTABLE notify, no CHILD_SA built", .answer),
      ("no private key found for 'CN=branch-017'", .answer),
    ])
  func certainty(_ line: String, _ certainty: IKETrouble.Certainty) {
    #expect(IKETrouble.recognised(in: line)?.certainty == certainty)
  }

  @Test func whatIsReportedIsOneShortLineWhateverAHubSendsInItsCertificate() {
    let name = "CN=\u{1b}[2J\n\"\\" + String(repeating: "x", count: 10_000)
    let told = IKETrouble.recognised(in: "no trusted RSA public key found for '\(name)'")?.text
    #expect(told?.utf8.count ?? 0 < 200)
    #expect(told?.utf8.allSatisfy { $0 >= 0x20 } == true)
  }
}
