internal import RuleSets

/// Why a tunnel has no keys, and how sure that is. Log lines are the only way common to all versions in which charon
/// reports a failed negotiation; the names of the notifications are those of RFC 7296 section 3.10.1.
package struct IKETrouble: Equatable, Sendable {
  /// How much a word counts, least first. The most certain word of an attempt is shown, not the first or the last: a
  /// request that is sent again says little, and the hub's answer may follow it within milliseconds.
  package enum Certainty: Int, CaseIterable, Comparable, Sendable {
    /// A request was sent again. One lost packet is enough for that.
    case hint
    /// charon has given the hub up.
    case silence
    /// The hub, charon itself or the kernel has said what is wrong.
    case answer

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  /// In words for an operator: one line.
  package let text: String
  package let certainty: Certainty

  package init(_ text: String, _ certainty: Certainty) {
    self.text = text
    self.certainty = certainty
  }

  /// Nil if the line reports no failure that an operator must know about.
  package static func recognised(in line: String) -> IKETrouble? {
    if let name = notification(in: line) { return IKETrouble(explained(name), .answer) }
    // A retransmission of the other end's is not ours to mention: `received retransmit of request with ID 1`.
    if line.hasPrefix("retransmit ") { return IKETrouble(noAnswer, .hint) }
    if silence.contains(where: line.containsText) { return IKETrouble(noAnswer, .silence) }
    for (mark, meaning) in marks where line.containsText(mark) {
      return IKETrouble("\(meaning): \(quoted(line))", .answer)
    }
    return nil
  }

  private static let noAnswer = "the hub does not answer"

  /// `received AUTHENTICATION_FAILED notify error`, `received TS_UNACCEPTABLE notify, no CHILD_SA built`.
  private static func notification(in line: String) -> String? {
    guard line.hasPrefix("received ") else { return nil }
    let words = line.split(separator: " ", maxSplits: 3)
    guard words.count >= 3, words[2] == "notify" || words[2] == "notify," else { return nil }
    let isFailure = words.count == 4 && (words[3].hasPrefix("error") || words[3].hasPrefix("no CHILD_SA"))
    // One that charon has no name for stands there as its number: `(8192)`.
    let isNumber = words[1].hasPrefix("(") && words[1].hasSuffix(")")
    let name = isNumber ? words[1].dropFirst().dropLast() : words[1]
    let isName =
      (1...40).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        isNumber ? (0x30...0x39).contains(byte) : (0x41...0x5a).contains(byte) || byte == UInt8(ascii: "_")
      }
    return isFailure && isName ? String(name) : nil
  }

  private static func explained(_ name: String) -> String {
    switch name {
    case "AUTHENTICATION_FAILED":
      "the hub refused our authentication (AUTHENTICATION_FAILED): a different pre-shared key, a certificate that it "
        + "does not trust, or an id that it does not know"
    case "NO_PROPOSAL_CHOSEN": "the hub accepts none of our proposals (NO_PROPOSAL_CHOSEN)"
    case "TS_UNACCEPTABLE": "the hub does not want this traffic (TS_UNACCEPTABLE): it expects other traffic selectors"
    case "INVALID_SYNTAX": "the hub could not read our message (INVALID_SYNTAX): often the pre-shared keys differ"
    case "NO_ADDITIONAL_SAS": "the hub wants no more SAs (NO_ADDITIONAL_SAS)"
    default: "the hub refused (\(name))"
    }
  }

  private static let marks: [(String, String)] = [
    ("but MAC mismatched", "the hub's pre-shared key differs from ours"),
    ("no shared key found", "no pre-shared key for these ids"),
    ("no private key found", "no private key for our certificate"),
    ("(myself) failed", "we could not prove who we are"),
    ("no trusted ", "the hub's certificate comes from no authority that we trust"),
    ("no issuer certificate found", "the hub's certificate comes from no authority that we trust"),
    ("certificate invalid", "a certificate is not valid now"),
    ("certificate was revoked", "a certificate was revoked"),
    ("constraint check failed", "the hub is not the one that the profile names"),
    ("constraint requires", "the hub authenticates in another way than the profile says"),
    ("constraint checking failed", "the hub is not the one that the profile names"),
    ("signature validation failed", "the hub could not prove that its certificate is its own"),
    ("no acceptable proposal found", "the hub proposes nothing that we accept"),
    ("no acceptable traffic selectors found", "the hub wants other traffic selectors than we do"),
    ("mode requested by responder is unacceptable", "the hub wants another mode than we do"),
    ("not supported by kernel", "the kernel lacks an algorithm"),
    ("unable to install", "charon could not install an SA or policy"),
  ]

  /// Each of these lines contains a number, which must not make it a new trouble each time.
  private static let silence = [" retransmits", "peer not responding"]
}
