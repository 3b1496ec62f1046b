import Testing

@testable import Core

@Suite struct RedactionTests {
  private func scrubbed(_ text: String, _ secrets: String...) -> String { Redaction(secrets: secrets).apply(text) }

  @Test func whatIsKnownGoesWhereverItStands() {
    #expect(
      scrubbed("the hub said: bad key s3cr3t-of-ours, try", "s3cr3t-of-ours\n")
        == "the hub said: bad key [redacted], try")
    #expect(scrubbed("aaaaaaaaaaaa", "aaaaaa") == "[redacted][redacted]")
    #expect(scrubbed("longer-secret", "longer", "longer-secret") == "[redacted]", "not cut by a part of it")
    #expect(scrubbed("x five5 y", "five5") == "x five5 y", "too short to tell from words")
    #expect(scrubbed("ünïcödé-secret!", "ünïcödé-secret") == "[redacted]!")
  }

  @Test(arguments: [
    ("token = \"abc def\"", "token = \"[redacted]\""),
    ("token=abc,next=1", "token=[redacted],next=1"),
    ("\"psk\": \"a\\\"b\", \"name\": \"fra\"", "\"psk\": \"[redacted]\", \"name\": \"fra\""),
    (#"{\"api_token\":\"xyz\",\"name\":\"fra\"}"#, #"{\"api_token\":\"[redacted]\",\"name\":\"fra\"}"#),
    ("my-password: hunter2", "my-password: [redacted]"),
    ("CLIENT_SECRET=hunter2", "CLIENT_SECRET=[redacted]"),
    ("Authorization: Bearer abc.def-ghi rest", "Authorization: Bearer [redacted] rest"),
    ("https://user:pass@hub.example/x", "https://[redacted]@hub.example/x"),
    ("pull https://hub.example/x?key=1&b=2 failed", "pull https://hub.example/x?[redacted] failed"),
  ]) func whatLooksLikeOneGoes(_ text: String, _ expected: String) { #expect(scrubbed(text) == expected) }

  @Test(arguments: [
    "psk_file = \"/etc/backhaul/secrets/hubs.psk\"", "secrets_directory = \"/etc/backhaul/secrets\"",
    "authentication: psk", "is it up? yes", "why? because a=b", "path fra-a is down: no answer (timeout 150 ms)",
    "https://hub.example/x", "mail tech@example.org", "2026-08-01T12:00:00Z token", "", "\n\n", "a\n",
  ]) func whatIsNoneStays(_ text: String) { #expect(scrubbed(text) == text) }

  @Test func privateKeysGoWhole() {
    let key = "before\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\nabc\n-----END EC PRIVATE KEY-----\nafter"
    #expect(scrubbed(key) == "before\n[redacted]\nafter")
    #expect(scrubbed("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----").contains("MIIB"))
    #expect(
      scrubbed("{\"k\":\"-----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----\"}\nnext") == "[redacted]\nnext")
    #expect(scrubbed("-----BEGIN PRIVATE KEY-----\nMII") == "[redacted]", "cut off it is one still")
  }

  @Test func anyTextIsTaken() {
    for text in [
      "token", "token=", "token=\"", "token=\"\\", "://", "://@", "?", "?=", "bearer", "bearer ", "psk:\\", "\\\"psk\\",
    ] {
      _ = scrubbed(text)
    }
  }
}
