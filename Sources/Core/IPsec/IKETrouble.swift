/// What a line of charon's log says went wrong. charon tells of a failed negotiation in no other way that its versions
/// share; the names of the notifications are those of RFC 7296 section 3.10.1.
package enum IKETrouble {
  /// Nil where the line tells of no failure that an operator must know.
  package static func recognised(in line: String) -> String? {
    if let name = notification(in: line) { return explained(name) }
    if silence.contains(where: line.containsText) { return "the hub does not answer" }
    for (mark, meaning) in marks where line.containsText(mark) { return "\(meaning): \(quoted(line))" }
    return nil
  }

  /// `received AUTHENTICATION_FAILED notify error`, `received TS_UNACCEPTABLE notify, no CHILD_SA built`.
  private static func notification(in line: String) -> String? {
    guard line.hasPrefix("received ") else { return nil }
    let words = line.split(separator: " ", maxSplits: 3)
    guard words.count >= 3, words[2] == "notify" || words[2] == "notify," else { return nil }
    let isFailure = words.count == 4 && (words[3].hasPrefix("error") || words[3].hasPrefix("no CHILD_SA"))
    let name = words[1]
    let isName =
      (4...40).contains(name.utf8.count)
      && name.utf8.allSatisfy { (0x41...0x5a).contains($0) || $0 == UInt8(ascii: "_") }
    return isFailure && isName ? String(name) : nil
  }

  private static func explained(_ name: String) -> String {
    switch name {
    case "AUTHENTICATION_FAILED":
      "the hub refused our authentication (AUTHENTICATION_FAILED): another pre-shared key, a certificate that it does "
        + "not trust, or an id that it does not know"
    case "NO_PROPOSAL_CHOSEN": "the hub accepts none of our proposals (NO_PROPOSAL_CHOSEN)"
    case "TS_UNACCEPTABLE": "the hub does not want this traffic (TS_UNACCEPTABLE): it expects other traffic selectors"
    case "INVALID_SYNTAX": "the hub could not read us (INVALID_SYNTAX): often another pre-shared key"
    case "NO_ADDITIONAL_SAS": "the hub wants no more SAs (NO_ADDITIONAL_SAS)"
    default: "the hub refused (\(name))"
    }
  }

  private static let marks: [(String, String)] = [
    ("but MAC mismatched", "the hub has another pre-shared key than we"),
    ("no shared key found", "no pre-shared key for these ids"),
    ("no private key found", "no private key for our certificate"),
    ("does not match to", "the hub says that it is another"),
    ("no trusted ", "the hub's certificate comes from no authority that we trust"),
    ("no issuer certificate found", "the hub's certificate comes from no authority that we trust"),
    ("certificate invalid", "a certificate is not valid now"),
    ("certificate was revoked", "a certificate was revoked"),
    ("constraint check failed", "the hub is not who the profile names"),
    ("signature validation failed", "the hub could not prove that its certificate is its own"),
    ("no acceptable proposal found", "the hub proposes nothing that we accept"),
    ("no config named", "charon does not know the connection"),
    ("error writing to socket", "charon cannot send"),
    ("unable to install", "charon could not install an SA or policy"),
  ]

  /// Each line of these has a number in it; it shall not be told anew for each.
  private static let silence = ["retransmit ", "giving up after", "peer not responding"]
}

extension String {
  /// Without Foundation there is no search in text on every platform's standard library that takes no generics along.
  fileprivate func containsText(_ part: String) -> Bool {
    let whole = Array(utf8)
    let wanted = Array(part.utf8)
    guard let first = wanted.first, whole.count >= wanted.count else { return false }
    for start in 0...(whole.count - wanted.count) where whole[start] == first {
      if whole[start..<(start + wanted.count)].elementsEqual(wanted) { return true }
    }
    return false
  }
}
